"""Run cells: warm up, sample, judge, record; every prompt on disk before the next begins.

What goes wrong stops as little as it can. A failing prompt is recorded and the next one begins; a
cell that cannot go on (memory, a lock, its first prompts all failing alike) gives way to the next
cell; a full disk or a lost device stops the run. The same command goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from bench.backbones import load_backbone
from bench.config.cell import Cell, code_digest, identity, parse_shard
from bench.config.defaults import changed
from bench.costs.parts import flops_of
from bench.device import release, resolve_device, set_precision
from bench.errors import BenchError
from bench.judge.judges import Judge, load_judge, names_used
from bench.outside import TARGET
from bench.rewards import load_reward
from bench.run import standing
from bench.run.attempt import ALIKE, Bench, CellStopped, DeviceLost, Streak, attempt, one_line
from bench.run.counted import warning
from bench.run.fit import models_fit
from bench.run.measure import Task
from bench.run.progress import Progress, progress_on
from bench.run.reuse import Reusable, reusable
from bench.store.disk import DiskError
from bench.store.folder import CellStore, Say
from bench.store.records import Records, read_records
from bench.weights.needs import check_here
from methods.interfaces import Backbone


@dataclass(frozen=True)
class Ready:
    """A cell whose models are loaded, and its folder."""

    cell: Cell
    store: CellStore
    task: Task
    judge: Judge
    config: Mapping[str, Any]
    reusable: Reusable | None = None


@dataclass(frozen=True)
class Done:
    """The cells' folders, and what went wrong in words: nothing, or the run was not whole.

    ``unreported``: why there is no report of them, "" where there is or none was due.
    """

    folders: Sequence[Path]
    problems: Sequence[str]
    unreported: str = ""


def prepare(cell: Cell, results: Path, say: Say = print) -> Ready:
    """Load a cell's models. Raises BenchError for what is missing, or does not fit."""
    began = time.perf_counter()
    check_here(cell.settings)
    # The judge first: it is small, and it may refuse to score.
    device, precision = resolve_device(cell.device), set_precision()
    with models_fit(cell.method, device):
        judge = load_judge(cell.judge, cell.settings, device)
        backbone, weights = load_backbone(cell.backbone, cell.device, cell.solvers)
        rewards = {
            name: load_reward(name, cell.settings["rewards"], device)
            for name in names_used(cell.settings)
        }
    digests = {"backbone": weights, "judge": judge.digest()}
    digests |= {name: reward.digest() for name, reward in rewards.items()}
    name = f"{cell.method.name}-{identity(cell, digests)}"
    config = {k: v for k, v in cell.settings.items() if k not in ("shard", "cache_gb")}
    config |= {"cell": name, "experiment": results.name}
    config |= {"code": code_digest(), "weights": digests}
    config |= {"changed": changed(cell.settings)}
    config |= {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
    config |= {"precision": precision}
    config |= {"load_seconds": round(time.perf_counter() - began, 3)}
    config |= _flops(cell, backbone, rewards[cell.reward], say)
    store = CellStore(results / "cells" / name, say)
    task = Task(backbone, rewards[cell.reward], cell.solver, cell.steps, cell.images, cell.seed)
    return Ready(cell, store, task, judge, config, reusable(cell, results, digests, device))


def _flops(cell: Cell, backbone: Backbone, reward: Any, say: Say) -> dict[str, Any]:
    """Floating-point operations of a sample of each part, where they can be counted."""
    own = TARGET not in cell.settings["rewards"][cell.reward]
    try:
        found = flops_of(backbone, reward if own else None)
    except (
        Exception
    ) as error:  # a model unlike those that are known; it can be sampled all the same
        say(f"floating-point operations are not counted: {one_line(error)}")
        return {}
    return {} if found is None else {"flops": found}


def sample_missing(ready: Ready, progress: Progress) -> int:
    """Sample what is missing of a cell: what never was, what failed, what was lost or changed.

    Returns how many prompts that were. Raises BenchError where the cell cannot be written, or
    cannot go on.
    """
    cell, store = ready.cell, ready.store
    number, count = shard = parse_shard(cell.shard)
    with store.locked(shard):
        notes = store.describe(ready.config)
        done = store.done({p.index for p in cell.prompts})
        places = [(number + i * count, p) for i, p in enumerate(cell.prompts)]
        todo = [(place, p) for place, p in places if p.index not in done]
        progress.skip(len(places) - len(todo))
        if not todo:
            return 0
        for note in notes:
            progress.say(f"this run goes on with other surroundings: {note}")
        bench = Bench(cell.method, ready.task, ready.task, ready.reusable)
        release()
        if failure := bench.warm_up([p.text for _, p in todo[:ALIKE]]):
            progress.say(f"{cell.method.name}: nothing was warmed up before the clock: {failure}")
        streak = Streak(succeeded=bool(done))
        for place, prompt in todo:
            record, error = attempt(cell, bench, ready.judge, store, prompt, place)
            store.append(record)
            if error is not None:
                what = f"{cell.method.name}: prompt {prompt.index} failed: {record.error}"
                progress.say(f"{what} ({store.folder / str(record.log)})")
            streak.see(error)
            progress.advance()
        return len(todo)


def run_cell(cell: Cell, results: Path, advance: Callable[[], None], say: Say = print) -> Path:
    """Run what is missing of a cell; returns its folder. ``advance`` is called at each prompt."""
    progress = Progress(say)
    progress.advance = advance  # type: ignore[method-assign]
    ready = prepare(cell, results, say)
    sample_missing(ready, progress)
    return ready.store.folder


def failures(ready: Ready, records: Records) -> str:
    """ "" where every prompt of the cell's shard succeeded, else which did not, and what to do."""
    mine = [records.by_index.get(prompt.index) for prompt in ready.cell.prompts]
    failed = [record for record in mine if record and record.error is not None]
    if not failed:
        return ""
    listed = ", ".join(str(record.index) for record in failed[:10])
    return (
        f"{ready.store.folder}: {len(failed)} of {len(mine)} prompts failed "
        f"({listed}{', …' if len(failed) > 10 else ''}), the last by {failed[-1].error}; "
        "tracebacks are in its folder errors, and the same command tries them again"
    )


def run_cells(cells: Sequence[Cell], results: Path, console: Console) -> Done:
    """Run cells one after the other under one progress display; one that cannot go on stops alone.

    Raises DiskError and DeviceLost, which stop them all, and BenchError where no cell could begin.
    """
    folders: list[Path] = []
    problems: list[str] = []
    refused: list[str] = []
    headed = None  # the reward in the table's heading
    with progress_on(console, sum(len(c.prompts) for c in cells)) as progress:
        dropped = max((c.settings["prompts"]["duplicates"] for c in cells), default=0)
        if dropped:
            progress.say(f"prompts left out because their text had come before: {dropped}")
        if slow := warning(cells):
            progress.say(slow)
        for number, cell in enumerate(cells, start=1):
            progress.begin(cell.method.name)
            ready, line = None, ""
            try:
                ready = prepare(cell, results, progress.say)
                if sample_missing(ready, progress) == 0:
                    progress.say(f"{cell.method.name}: all of its prompts are done already")
            except (DiskError, DeviceLost):
                raise
            except BenchError as error:
                problems.append(f"{cell.method.name}: {error}")
                refused += [] if isinstance(error, CellStopped) else [str(error)]
            try:
                if ready is not None:
                    records = read_records(ready.store.records_path)
                    problems += filter(None, [failures(ready, records)])
                    folders.append(ready.store.folder)
                    place, done = f"{number}/{len(cells)}", records.finished.values()
                    line = standing.line(place, cell.method.name, done, cell.reward)
            except BenchError as error:  # its records are damaged: no report can read them
                problems.append(f"{cell.method.name}: {error}")
            if line and cell.reward != headed:
                progress.say(standing.heading(cell.reward))
                headed = cell.reward
            progress.end(line)
    if len(refused) == len(cells):
        raise BenchError("; ".join(dict.fromkeys(refused)))
    return Done(folders, list(dict.fromkeys(problems)))
