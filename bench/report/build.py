"""The report that suits a results folder: GenEval's, or that of problems with a known answer."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from omegaconf import OmegaConf


def build(folder: Path, show: bool = False, only: Collection[str] | None = None) -> Path:
    """Write tables, figures and report.md into ``folder``; returns the path of report.md.

    Raises FileNotFoundError where there is no cell, ValueError where the records make no sense or
    cells of both kinds share the folder.
    """
    configs = sorted(folder.glob("cells/*/config.yaml"))
    if only is not None:
        configs = [path for path in configs if path.parent.name in only]
    truth = {OmegaConf.select(OmegaConf.load(path), "judge.kind") == "truth" for path in configs}
    if len(truth) > 1:
        raise ValueError(f"{folder} holds cells with and without a known target: split the folder")
    if truth == {True}:
        from bench.truth.report import build as build_truth

        return build_truth(folder, show, only)
    from bench.report.page import build as build_page

    return build_page(folder, show, only)
