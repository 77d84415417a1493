"""Lookahead samples that another cell has drawn already, taken from a cache.

A lookahead estimator's samples and their rewards do not depend on what is done with them: not on
the guidance scale, λ, the interval, the steer, nor the target solver and its steps. In a sweep over
these they are the same in every cell. A record's calls are those that the method needs, whether
they were made or not; ``Record.reused`` has those that were not, and no report uses the seconds of
such a prompt. A prompt that is timed beside vanilla never reuses anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.backbones import BACKBONES
from bench.config.cell import Cell, code_digest
from bench.device import describe_device
from bench.rewards import used
from bench.run.meter import Meter
from bench.store.cache import Cache

Drawn = tuple[Tensor, ...]
FOLDER = "lookahead"  # in the results folder
GB = 10**9
DECIDING = ("backbone.", "method.efr.", "rewards.")  # sources from outside that decide samples


@dataclass(frozen=True)
class Reusable:
    """A cache, and what of a cell decides the samples that are in it."""

    cache: Cache
    decided: Mapping[str, Any]


@dataclass
class Reusing:
    """``Problem.reuse`` for one prompt. What was drawn is written when ``keep`` is called, after
    the clock has stopped."""

    reusable: Reusable
    meter: Meter
    prompt: str
    limits: str
    drawn: list[tuple[Mapping[str, Any], Drawn, Mapping[str, Any]]] = field(default_factory=list)

    def __call__(self, key: Mapping[str, Any], draw: Callable[[], Drawn]) -> Drawn:
        whole = {**self.reusable.decided, "prompt": self.prompt, "limits": self.limits, **key}
        found = self.reusable.cache.get(whole)
        if found is not None:
            tensors, calls = found
            self.meter.reuse(calls)
            return tuple(tensor.to(self.meter.device) for tensor in tensors)
        before = {phase: Counter(counts) for phase, counts in self.meter.calls.items()}
        made = draw()
        calls = {p: dict(counts - before[p]) for p, counts in self.meter.calls.items()}
        self.drawn.append((whole, made, calls))
        return made

    def keep(self) -> None:
        for key, made, calls in self.drawn:
            self.reusable.cache.put(key, made, calls)


def reusable(
    cell: Cell, results: Path, weights: Mapping[str, str], device: torch.device
) -> Reusable | None:
    """The cache of a results folder for a cell; None where nothing would be kept, or where a draw
    is as cheap as a file."""
    settings = cell.settings
    limit = int(settings["cache_gb"] * GB)
    if limit == 0 or BACKBONES[cell.backbone["kind"]].analytic:
        return None
    rewards = used([cell.reward], settings["rewards"])
    sources = settings.get("sources") or {}
    decided = {
        "backbone": cell.backbone,
        "reward": cell.reward,
        "rewards": rewards,
        "seed": cell.seed,
        "sources": {k: v for k, v in sources.items() if k.startswith(DECIDING)},
        "weights": {name: weights[name] for name in ("backbone", cell.reward)},
        "code": code_digest(),
        # These decide nothing but rounding, which is to be a cell's own too.
        "device": describe_device(device),
        "torch": str(torch.__version__),
    }
    return Reusable(Cache(results / FOLDER, limit), decided)
