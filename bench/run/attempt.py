"""One prompt of a cell: sampled, judged, saved, and its record, which may tell of a failure."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from bench.config.cell import Cell
from bench.device import describe_device
from bench.errors import BenchError
from bench.judge.judges import Judge
from bench.prompts.choice import Prompt
from bench.run.fit import batch, measure_fitting, out_of_memory
from bench.run.measure import Measured, Task
from bench.run.reuse import Reusable
from bench.run.yardstick import timed, undisturbed, vanilla_first
from bench.store.folder import CellStore
from bench.store.images import from_host
from bench.store.records import encode
from bench.store.schema import Record
from methods.method import Method

VANILLA = Method("vanilla")
WARM_UP_STEPS = 3
LONGEST = 500  # characters of an error in a record
ALIKE = 3  # failures of a cell's first prompts with one cause, after which it is not tried on


class CellStopped(BenchError):
    """The rest of this cell would fail too."""


class DeviceLost(BenchError):
    """The accelerator failed, and with it everything else that this process would do."""


@dataclass
class Bench:
    """The method and vanilla, each with the batches that fit.

    ``reusable``: what untimed prompts may reuse of other cells. ``before``: vanilla's seconds on
    the prompts timed so far.
    """

    method: Method
    task: Task
    yardstick: Task
    reusable: Reusable | None = None
    before: list[float] = field(default_factory=list)

    def warm_up(self, prompts: Sequence[str]) -> str:
        """Untimed, on the first prompt that does not fail: the exact shapes in few steps, for what
        is warmed up does not depend on their number. Batches that do not fit are found here.

        Returns why there was no warm-up, "" where there was.
        """
        failure = ""
        for prompt in prompts:
            try:
                _, task = measure_fitting(shortened(self.task, self.method), self.method, prompt)
                _, other = measure_fitting(shortened(self.yardstick, VANILLA), VANILLA, prompt)
            except BenchError:
                raise
            except Exception as error:
                failure = one_line(error)
                continue
            self.task = replace(task, steps=self.task.steps)
            self.yardstick = replace(other, steps=self.yardstick.steps)
            return ""
        return failure

    def measure(self, prompt: str, reusable: Reusable | None = None) -> Measured:
        task = replace(self.task, reusable=reusable)
        measured, task = measure_fitting(task, self.method, prompt)
        self.task = replace(task, reusable=None)
        return measured

    def vanilla(self, prompt: str) -> Measured:
        measured, self.yardstick = measure_fitting(self.yardstick, VANILLA, prompt)
        return measured

    def pair(self, prompt: str, vanilla_first: bool) -> tuple[Measured, Measured]:
        """The measurement and vanilla's on the same prompt, one after the other; again where
        vanilla shows that the machine was disturbed."""

        def time() -> tuple[Measured, Measured]:
            if vanilla_first:
                vanilla = self.vanilla(prompt)
                return self.measure(prompt), vanilla
            return self.measure(prompt), self.vanilla(prompt)

        def seconds(pair: tuple[Measured, Measured]) -> tuple[float, float]:
            method, vanilla = (one.seconds["total"] for one in pair)
            return vanilla, method

        kept = undisturbed(time, seconds, self.before)
        self.before.append(seconds(kept)[0])
        return kept


def shortened(task: Task, method: Method) -> Task:
    """The task in few steps; in all of them where its solver takes no other number."""
    few = min(task.steps, WARM_UP_STEPS)
    try:
        task.backbone.solver(task.solver, few * method.steps_factor)
    except ValueError:
        return task
    return replace(task, steps=few)


def attempt(
    cell: Cell, bench: Bench, judge: Judge, store: CellStore, prompt: Prompt, place: int
) -> tuple[Record, Exception | None]:
    """The prompt's record, ready to append, and what it failed by, if it did.

    ``place``: the prompt's own in the cell's list, shards together. Raises BenchError for what is
    not this prompt's alone: memory that does not suffice, a disk that is full.
    """
    base: dict[str, Any] = {
        "index": prompt.index,
        "prompt": prompt.text,
        "tag": prompt.tag,
        "fields": prompt.fields or None,
        "seed": cell.seed,
        "device": describe_device(bench.task.backbone.device),
        "torch": str(torch.__version__),
    }
    try:
        record = Record(**base, **_measured(cell, bench, judge, store, prompt, place))
        encode(record)  # a number that is no number is this prompt's failure too
        return record, None
    except BenchError:
        raise
    except Exception as error:
        log = store.write_error(prompt.index, "".join(traceback.format_exception(error)))
        return Record(**base, error=one_line(error), log=log), error


def _measured(
    cell: Cell, bench: Bench, judge: Judge, store: CellStore, prompt: Prompt, place: int
) -> dict[str, Any]:
    """The measurements of a prompt's record; its images on the disk."""
    vanilla = None
    if timed(place, cell.yardstick_every, cell.total):
        first = vanilla_first(place, cell.yardstick_every)
        measured, vanilla = bench.pair(prompt.text, first)
    else:
        measured = bench.measure(prompt.text, bench.reusable)
    names, digests = store.write_images(prompt.index, prompt.metadata, measured.delivered)
    began = time.perf_counter()
    judged = judge.judge(prompt.metadata, from_host(measured.delivered))
    seconds = {k: round(v, 6) for k, v in measured.seconds.items()}
    memory, pair = measured.memory, None
    if vanilla is not None:
        pair = {"vanilla": round(vanilla.seconds["total"], 6), "method": seconds["total"]}
        if memory and vanilla.memory:
            beside = vanilla.memory["target"] - vanilla.memory["resident"]
            memory = {**memory, "vanilla": beside}
    return {
        "seconds": seconds,
        "calls": measured.calls,
        "passes": {phase: count for phase, count in measured.passes.items() if count},
        "reused": measured.reused,
        "memory": memory,
        "batch": batch(bench.task),
        "yardstick": pair,
        "judge_seconds": round(time.perf_counter() - began, 6),
        "images": names,
        "sha256": digests,
        **judged,
        "info": dict(measured.info),
    }


def one_line(error: Exception) -> str:
    """Type and message, shortened; the whole is in the log."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


@dataclass
class Streak:
    """Failures of one kind since the run began, while nothing has succeeded in the cell."""

    succeeded: bool
    causes: list[tuple[str, str, int | None]] = field(default_factory=list)

    def see(self, error: Exception | None) -> None:
        """Take note of an attempt. Raises CellStopped or DeviceLost where the rest would fail too.

        Two failures are alike if their types are, and the lines of code that raised them.
        """
        if error is None:
            self.succeeded = True
            return
        if is_device_lost(error):
            raise DeviceLost(
                f"the device failed ({one_line(error)}), and this process cannot use it any more: "
                "run the same command again, it goes on from here"
            )
        frame = traceback.extract_tb(error.__traceback__)[-1]
        self.causes.append((type(error).__name__, frame.filename, frame.lineno))
        if not self.succeeded and self.causes == self.causes[:1] * ALIKE:
            raise CellStopped(
                f"stopped: the first {ALIKE} prompts failed alike ({one_line(error)}), and none "
                "succeeded"
            )


def is_device_lost(error: Exception) -> bool:
    """An error of the accelerator itself; torch raises it again at whatever is asked next, but for
    one that tells of memory."""
    lost = getattr(torch, "AcceleratorError", ())
    failed = isinstance(error, lost) or str(error).startswith("CUDA error")
    return failed and not out_of_memory(error)
