"""The report that suits a results folder: GenEval's, of problems with a known answer, of costs."""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from pathlib import Path

from omegaconf import OmegaConf

# By the kind of judge: what imports what it draws with only when it is wanted.
REPORTS = {
    "geneval": "bench.report.page",
    "truth": "bench.truth.report",
    "none": "bench.costs.report",
}


def build(folder: Path, show: bool = False, only: Collection[str] | None = None) -> Path:
    """Write the report into ``folder``; returns the path of report.md.

    report.html lies beside it; ``show`` prints its path. Raises FileNotFoundError where there is no
    cell, ValueError where the records make no sense or cells of two kinds share the folder.
    """
    configs = sorted(folder.glob("cells/*/config.yaml"))
    if only is not None:
        configs = [path for path in configs if path.parent.name in only]
    judges = {OmegaConf.select(OmegaConf.load(path), "judge.kind") for path in configs}
    kinds = {judge if judge in REPORTS else "geneval" for judge in judges}
    if len(kinds) > 1:
        raise ValueError(f"{folder} holds cells of {' and '.join(sorted(kinds))}: split the folder")
    make = REPORTS[kinds.pop()] if kinds else REPORTS["geneval"]
    path: Path = import_module(make).build(folder, show, only)
    return path
