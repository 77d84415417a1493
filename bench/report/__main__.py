"""``python -m bench.report FOLDER``: report.html, report.md, tables and figures of a folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """0 when the report is written, 2 when the folder holds nothing to report on."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.report",
        description="Write report.html, report.md, tables/ and figures/ into a results folder.",
    )
    parser.add_argument("folder", type=Path, help="a results folder: it holds cells/<cell>/")
    folder = parser.parse_args(arguments).folder

    from bench.report.build import build  # here, so that --help answers at once
    from bench.turns import reporting

    try:
        if not (folder / "cells").is_dir():
            raise FileNotFoundError(f"no cells in {folder}: expected {folder}/cells/<cell>/")
        with reporting(folder):
            path = build(folder, show=True)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
