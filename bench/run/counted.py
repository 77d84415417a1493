"""What a method calls, without computing it; and how long that would take on a CPU."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from bench.backbones import load_backbone
from bench.config.cell import Cell
from bench.costs.echo import Brightness, echoing
from bench.costs.model import Calls, by_part, total_flops
from bench.costs.parts import Parts, of_pipeline, of_true_reward, true_sizes
from bench.device import resolve_device
from bench.rewards import differentiable
from bench.run.measure import Task, measure
from bench.run.yardstick import timed
from methods.method import Method

SIDE = 1024  # of the matrices whose product is timed
MOMENT = 0.3  # seconds


def calls_of(cell: Cell, method: Method) -> Calls:
    """By phase and kind, of one prompt: the method runs on models that compute nothing."""
    settings = {**cell.backbone, "weights": "tiny", "pixels": None}
    backbone: Any = load_backbone(settings, "cpu", cell.solvers)[0]
    reward = Brightness(differentiable(cell.reward, cell.settings["rewards"]))
    task = Task(echoing(backbone), reward, cell.solver, cell.steps, cell.images, cell.seed)
    return measure(task, method, cell.prompts[0].text).calls


def parts_of(cell: Cell, pixels: int | None = None) -> Parts:
    """One sample of each part of a cell's models at true size."""
    sizes = true_sizes(cell.backbone, pixels)
    rewards = cell.settings["rewards"]
    return {**of_pipeline(sizes), **of_true_reward(cell.reward, rewards, sizes.pixels)}


def warning(cells: Sequence[Cell]) -> str | None:
    """How long cells of random weights at true size take on a CPU; None where there are none."""
    slow = [
        cell
        for cell in cells
        if cell.backbone.get("weights") == "random" and resolve_device(cell.device).type == "cpu"
    ]
    if not slow:
        return None
    operations, rate = sum(map(_operations, slow)), products_per_second()
    prompts = sum(len(cell.prompts) for cell in slow)
    return (
        f"random weights at true size on a CPU: {_said(operations / rate)} or more for {prompts} "
        f"prompts, at the {rate / 1e9:.0f} GFLOP/s that this CPU reaches in a matrix product; "
        "weights=tiny tries the same in minutes"
    )


def _operations(cell: Cell) -> float:
    """Of all prompts of the cell, with vanilla where it is timed beside the method."""
    parts = parts_of(cell)
    each = [
        1e12 * sum(total_flops(parts, by_part(calls_of(cell, method), 2)).values())
        for method in (cell.method, Method("vanilla"))
    ]
    places = range(len(cell.prompts))
    beside = sum(timed(place, cell.yardstick_every, cell.total) for place in places)
    return each[0] * len(cell.prompts) + each[1] * beside


def products_per_second() -> float:
    """Floating-point operations a second in float32 matrix products, on all threads."""
    one = torch.ones(SIDE, SIDE)
    one @ one
    began, count = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < MOMENT:
        one @ one
        count += 1
    return 2.0 * SIDE**3 * count / passed


def _said(seconds: float) -> str:
    hours = seconds / 3600
    return f"about {hours:.0f} hours" if hours >= 2 else f"about {seconds / 60:.0f} minutes"
