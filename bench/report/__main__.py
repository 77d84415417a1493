"""``python -m bench.report FOLDER``: tables, figures and report.md of a results folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """0 when the report is written, 2 when the folder holds nothing to report on."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.report",
        description="Write tables, figures and report.md of a results folder into that folder.",
    )
    parser.add_argument("folder", type=Path, help="a results folder: it holds cells/<cell>/")
    folder = parser.parse_args(arguments).folder

    from bench.report.build import build  # here, so that --help answers at once

    try:
        path = build(folder, show=True)
    except (FileNotFoundError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
