"""``experiment=cost_model``: every method's calls on a toy model, and the report of its costs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console

from bench.backbones import load_backbone
from bench.backbones.architectures import ARCHITECTURES
from bench.config.cell import Cell
from bench.config.defaults import changed
from bench.costs.echo import Brightness, echoing
from bench.costs.page import Costed, report
from bench.costs.parts import Parts, of_pipeline, of_true_reward, true_sizes
from bench.errors import BenchError, explained
from bench.report import files, table
from bench.rewards import differentiable
from bench.run.measure import Task, measure
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
    alone = backbone["name"] in settings["alone"]
    every = list({json.dumps(cell.settings, default=str): cell for cell in cells}.values())
    costed: list[Costed] = []
    references: dict[tuple[str, int, int], Any] = {}
    for cell, label in zip(every, _labels(every), strict=True):
        target = cell.solver, cell.steps, cell.images
        if target not in references:
            references[target] = _calls(cell, Method("vanilla"))
        together = 1 if alone and cell.method.differentiates else cell.images
        config = {**cell.settings, "changed": changed(cell.settings)}
        calls = _calls(cell, cell.method)
        costed.append(Costed(label, config, calls, references[target], together))
    own = backbone.get("pixels") or ARCHITECTURES[backbone["architecture"]](False).pixels
    sides = sorted({max(SIDE, round(own * f / SIDE) * SIDE) for f in settings["pixels"]} | {own})
    rewards = cells[0].settings["rewards"]
    parts = {side: _parts(backbone, cells[0].reward, rewards, side) for side in sides}
    made = report(costed, parts, own, sorted(settings["n"]))
    folder.mkdir(parents=True, exist_ok=True)
    page, source = files.write(made.document, folder)
    table.show(made.brief, made.title, console)
    for line in made.lines:
        console.print(f"- {line}", markup=False, highlight=False)
    print(page)
    return source


def _parts(backbone: Any, reward: str, rewards: Any, side: int) -> Parts:
    """At true size."""
    return {**of_pipeline(true_sizes(backbone, side)), **of_true_reward(reward, rewards, side)}


def _calls(cell: Cell, method: Method) -> Any:
    """What the method itself calls, by phase and kind, on models that compute nothing."""
    backbone: Any = load_backbone(cell.backbone, "cpu", cell.solvers)[0]
    reward = Brightness(differentiable(cell.reward, cell.settings["rewards"]))
    task = Task(echoing(backbone), reward, cell.solver, cell.steps, cell.images, cell.seed)
    return measure(task, method, cell.prompts[0].text).calls


def _labels(cells: Sequence[Cell]) -> list[str]:
    rows = [
        {
            "cell": str(place),
            "method": cell.method.name,
            "settings": texts(cell.settings["method"]),
            "config": dict(cell.settings),
            "code": "",
            "path": Path(),
            **{key: getattr(cell, key) for key in ("seed", "steps", "solver", "images")},
        }
        for place, cell in enumerate(cells)
    ]
    return labels(pd.DataFrame(rows))
