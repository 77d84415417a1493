"""``python -m bench.report FOLDER [--only GLOB …]``: report.html, report.md, tables and figures of
a folder, or of some of its cells."""

from __future__ import annotations

import argparse
import fnmatch
import sys
from pathlib import Path


def matching(folder: Path, globs: list[str]) -> set[str]:
    """Names of the folder's cells that match one of ``globs``. Raises ValueError for a glob that
    matches none."""
    names = sorted(path.parent.name for path in folder.glob("cells/*/config.yaml"))
    for glob in globs:
        if not fnmatch.filter(names, glob):
            raise ValueError(f"no cell of {folder} matches {glob}: it holds {', '.join(names)}")
    return {name for glob in globs for name in fnmatch.filter(names, glob)}


def main(arguments: list[str] | None = None) -> int:
    """0 when the report is written, 2 when the folder holds nothing that it could report on."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.report",
        description="Write report.html, report.md, tables/ and figures/ into a results folder.",
    )
    parser.add_argument("folder", type=Path, help="a results folder: it holds cells/<cell>/")
    parser.add_argument(
        "--only", nargs="+", metavar="GLOB", help="of these cells alone, such as 'lidar-*'"
    )
    given = parser.parse_args(arguments)
    folder = given.folder

    from bench.report.build import build  # here, so that --help answers at once
    from bench.store.turns import reporting

    try:
        if not (folder / "cells").is_dir():
            raise FileNotFoundError(f"no cells in {folder}: expected {folder}/cells/<cell>/")
        only = None if given.only is None else matching(folder, given.only)
        with reporting(folder):
            path = build(folder, show=True, only=only)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    print(path)
    return 0


if __name__ == "__main__":
    from bench.__main__ import main as entry

    sys.exit(entry("report"))
