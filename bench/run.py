"""Run cells: warm up, sample, judge, record; every prompt on disk before the next begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from bench.backbones import load_backbone
from bench.cell import Cell, Prompt, code_digest, identity
from bench.device import describe_device, resolve_device
from bench.fit import batch, measure_fitting, release
from bench.images import from_host
from bench.judging import Judge, load_judge, names_used
from bench.measure import Measured, Task
from bench.rewards import load_reward
from bench.store import CellStore
from methods.method import Method

Advance = Callable[[], None]
VANILLA = Method("vanilla")
WARM_UP_STEPS = 3


@contextmanager
def progress_bar(console: Console, total: int) -> Iterator[tuple[Progress, Any]]:
    """Prompts done over all cells, with the time left."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield progress, progress.add_task("", total=total)


@dataclass
class Bench:
    """The method and vanilla, each with the batches that fit."""

    method: Method
    task: Task
    yardstick: Task

    def warm_up(self, prompt: str) -> None:
        """Untimed: the exact shapes in few steps, for what is warmed up does not depend on their
        number; batches that do not fit are found here."""
        steps = min(self.task.steps, WARM_UP_STEPS)
        with suppress(FloatingPointError):  # its own record will tell
            _, fitted = measure_fitting(replace(self.task, steps=steps), self.method, prompt)
            self.task = replace(fitted, steps=self.task.steps)
        with suppress(FloatingPointError):
            _, fitted = measure_fitting(replace(self.yardstick, steps=steps), VANILLA, prompt)
            self.yardstick = replace(fitted, steps=self.yardstick.steps)

    def measure(self, prompt: str) -> Measured:
        measured, self.task = measure_fitting(self.task, self.method, prompt)
        return measured

    def vanilla_seconds(self, prompt: str) -> float:
        measured, self.yardstick = measure_fitting(self.yardstick, VANILLA, prompt)
        return float(measured.seconds["total"])

    def pair(self, prompt: str, vanilla_first: bool) -> tuple[Measured, float]:
        """The measurement and vanilla's seconds on the same prompt, one after the other."""
        if vanilla_first:
            vanilla = self.vanilla_seconds(prompt)
            return self.measure(prompt), vanilla
        return self.measure(prompt), self.vanilla_seconds(prompt)


def record_prompt(
    cell: Cell, bench: Bench, judge: Judge, store: CellStore, prompt: Prompt, place: int
) -> dict[str, Any]:
    """Sample, judge and save one prompt; the record, ready to append.

    A reward that is not finite stops this prompt alone: its record carries the error.
    """
    record: dict[str, Any] = {
        "index": prompt.index,
        "prompt": prompt.text,
        "tag": prompt.metadata["tag"],
        "seed": cell.seed,
        "device": describe_device(bench.task.backbone.device),
    }
    vanilla = None
    try:
        if place % cell.yardstick_every == 0:
            vanilla_first = place // cell.yardstick_every % 2 == 0
            measured, vanilla = bench.pair(prompt.text, vanilla_first)
        else:
            measured = bench.measure(prompt.text)
    except FloatingPointError as error:
        return record | {"error": str(error)}
    names = store.write_images(prompt.index, prompt.metadata, measured.delivered)
    began = time.perf_counter()
    judged = judge.judge(prompt.metadata, from_host(measured.delivered))
    seconds = {k: round(v, 6) for k, v in measured.seconds.items()}
    pair = {"vanilla": round(vanilla, 6), "method": seconds["total"]} if vanilla else None
    return {
        **record,
        "seconds": seconds,
        "calls": measured.calls,
        "memory": measured.memory,
        "batch": batch(bench.task),
        "yardstick": pair,
        "judge_seconds": round(time.perf_counter() - began, 6),
        "images": names,
        **judged,
        "info": dict(measured.info),
        "error": None,
    }


def run_cell(cell: Cell, results: Path, advance: Advance) -> Path:
    """Run what is missing of a cell; returns its folder."""
    load_began = time.perf_counter()
    # The judge first: it is small, and it may refuse to score.
    device = resolve_device(cell.device)
    judge = load_judge(cell.judge, cell.settings, device)
    backbone, weights = load_backbone(cell.backbone, cell.device, cell.solvers)
    rewards = {
        name: load_reward(name, cell.settings["rewards"], device)
        for name in names_used(cell.settings)
    }
    digests = {"backbone": weights, "judge": judge.digest()}
    digests |= {name: reward.digest() for name, reward in rewards.items()}
    load_seconds = time.perf_counter() - load_began
    name = f"{cell.method.name}-{identity(cell, digests)}"
    store = CellStore(results / "cells" / name)
    task = Task(backbone, rewards[cell.reward], cell.solver, cell.steps, cell.images, cell.seed)
    with store.locked(cell.shard):
        done = store.done()
        config = {k: v for k, v in cell.settings.items() if k != "shard"}
        config |= {"cell": name, "experiment": results.name}
        config |= {"code": code_digest(), "weights": digests}
        config |= {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
        config |= {"load_seconds": round(load_seconds, 3)}
        config["prompts"] = {**cell.settings["prompts"], "total": cell.total}
        store.describe(config)
        todo = [(i, p) for i, p in enumerate(cell.prompts) if p.index not in done]
        for _ in range(len(cell.prompts) - len(todo)):
            advance()
        bench = Bench(cell.method, task, task)
        if todo:
            release()
            bench.warm_up(todo[0][1].text)
        for place, prompt in todo:
            store.append(record_prompt(cell, bench, judge, store, prompt, place))
            advance()
    return store.folder


def run_cells(cells: Sequence[Cell], results: Path, console: Console) -> list[Path]:
    """Run cells one after the other under one progress bar; returns their folders."""
    folders = []
    with progress_bar(console, sum(len(c.prompts) for c in cells)) as (progress, bar):
        for cell in cells:
            progress.update(bar, description=cell.method.name)
            folders.append(run_cell(cell, results, lambda: progress.advance(bar)))
    return folders
