"""Sample one prompt under the meter: the one boundary of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.noise import Ledger
from bench.run.meter import PASSES, Meter, MeteredBackbone, MeteredReward
from bench.run.reuse import Reusable, Reusing
from bench.store.images import to_host
from methods.interfaces import Backbone, Reward
from methods.loop import Observer
from methods.method import Method
from methods.problem import Problem, Reuse, anew
from methods.sample import sample


@dataclass(frozen=True)
class Task:
    """What every method of a comparison shares: the prior, the reward, the target solver."""

    backbone: Backbone
    reward: Reward
    solver: str
    steps: int
    images: int
    seed: int
    together: int | None = None  # images sampled at a time, None for all
    graph: int | None = None  # particles differentiated at a time, None for all
    reusable: Reusable | None = None  # lookahead samples of other cells, None to draw all anew


@dataclass(frozen=True)
class Measured:
    """Images (N, H, W, 3) uint8 or points (N, D) on the host, their cost, the diagnostics."""

    delivered: np.ndarray
    seconds: Mapping[str, float]
    calls: Mapping[str, Mapping[str, int]]
    passes: Mapping[str, int]
    info: Mapping[str, Any]
    memory: Mapping[str, int] | None = None
    reused: Mapping[str, Mapping[str, int]] | None = None


def measure(
    task: Task,
    method: Method,
    prompt: str,
    observe: Observer | None = None,
    meter: Meter | None = None,
) -> Measured:
    """From the prompt's text to decoded images on the host, clocked and counted by a fresh meter,
    which a caller can bring to read it after a failure."""
    meter = Meter(task.backbone.device) if meter is None else meter
    backbone = MeteredBackbone(task.backbone.under(task.solver), meter)
    reward = MeteredReward(task.reward, meter)
    reuse: Reuse = anew
    if task.reusable is not None:
        limits = str(getattr(task.backbone, "limits", None))
        reuse = Reusing(task.reusable, meter, prompt, limits)
    with meter.whole():
        with meter.phase("prepare"):
            condition = backbone.encode(prompt)
        problem = Problem(
            backbone=backbone,
            reward=reward,
            noise=Ledger(task.seed, prompt),
            prompt=prompt,
            condition=condition,
            images=task.images,
            solver=task.solver,
            steps=task.steps,
            graph=task.graph,
            reuse=reuse,
        )
        sampled = sample(problem, method, meter.phase, observe, task.together)
        with meter.phase("decode"):
            delivered = to_host(sampled.images)
    if isinstance(reuse, Reusing):
        reuse.keep()
    calls, reused = without_passes(meter.calls), without_passes(meter.reused)
    passes = {phase: counts[PASSES] for phase, counts in meter.calls.items()}
    return Measured(
        delivered, meter.seconds, calls, passes, sampled.info, meter.memory, reused or None
    )


def without_passes(calls: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """Calls by phase and kind, of the kinds alone."""
    return {p: {k: n for k, n in own.items() if k != PASSES} for p, own in calls.items()}
