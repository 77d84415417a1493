"""``experiment=cost_model``: every method's calls without computing them, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from bench.backbones.architectures import ARCHITECTURES
from bench.config.cell import Cell
from bench.config.defaults import changed
from bench.costs.model import Calls
from bench.costs.page import report
from bench.costs.predicted import Costed
from bench.errors import BenchError, explained
from bench.report import files, table
from bench.run.counted import calls_of, parts_of
from bench.store.cells import labels, texts
from methods.method import Method
from methods.settings import at_least, whole

SIDE = 64  # images have sides of a multiple of it


def run_cost_model(cells: Sequence[Cell], settings: Any, folder: Path, console: Console) -> Path:
    """Count, predict and write the report into ``folder``; returns the path of report.md.

    Raises BenchError for a backbone whose architecture is not known.
    """
    backbone = cells[0].backbone
    if backbone.get("architecture") not in ARCHITECTURES:
        raise BenchError(
            f"experiment=cost_model knows the true sizes of {', '.join(ARCHITECTURES)}, not of "
            f"{backbone['name']}"
        )
    with explained():
        for factor in settings["pixels"]:
            at_least("cost_model.pixels: each", factor, 0.1)
        for n in settings["n"]:
            whole("cost_model.n: each", n, 1)
    own = backbone.get("pixels") or ARCHITECTURES[backbone["architecture"]](False).pixels
    sides = sorted({max(SIDE, round(own * f / SIDE) * SIDE) for f in settings["pixels"]} | {own})
    parts = {side: parts_of(cells[0], side) for side in sides}
    costed = _costed(cells, backbone["name"] in settings["alone"])
    made = report(costed, parts, own, sorted(settings["n"]))
    folder.mkdir(parents=True, exist_ok=True)
    page, source = files.write(made.document, folder)
    table.show(made.brief, made.title, console)
    for line in made.lines:
        console.print(f"- {line}", markup=False, highlight=False)
    print(page)
    return source


def _costed(cells: Sequence[Cell], alone: bool) -> list[Costed]:
    """Each different cell with its calls and vanilla's. ``alone``: methods that differentiate run
    one image at a time."""
    made: list[Costed] = []
    references: dict[tuple[str, int], Calls] = {}
    for (solver, steps), group in groupby(cells, key=lambda cell: (cell.solver, cell.steps)):
        own = list({json.dumps(cell.settings["method"]): cell for cell in group}.values())
        usual = (solver, steps) == (cells[0].solver, cells[0].steps)
        for cell, label in zip(own, _labels(own), strict=True):
            if (solver, steps) not in references:
                references[solver, steps] = calls_of(cell, Method("vanilla"))
            made.append(
                Costed(
                    label if usual else f"{label}, {solver} {steps}",
                    {**cell.settings, "changed": changed(cell.settings)},
                    calls_of(cell, cell.method),
                    references[solver, steps],
                    1 if alone and cell.method.differentiates else cell.images,
                )
            )
    return made


def _labels(cells: Sequence[Cell]) -> list[str]:
    """By what the cells differ in, all of one target."""
    rows = [
        {
            "cell": str(place),
            "method": cell.method.name,
            "settings": texts(cell.settings["method"]),
            "config": dict(cell.settings),
            "code": "",
            **{key: getattr(cell, key) for key in ("seed", "steps", "solver", "images")},
        }
        for place, cell in enumerate(cells)
    ]
    return labels(pd.DataFrame(rows))
