"""Sample one prompt under the meter: the one boundary of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.noise import Ledger
from bench.run.meter import Meter, MeteredBackbone, MeteredReward
from bench.store.images import to_host
from methods.interfaces import Backbone, Reward
from methods.loop import Observer
from methods.method import Method
from methods.problem import Problem
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


@dataclass(frozen=True)
class Measured:
    """Images (N, H, W, 3) uint8 or points (N, D) on the host, their cost, the diagnostics."""

    delivered: np.ndarray
    seconds: Mapping[str, float]
    calls: Mapping[str, Mapping[str, int]]
    info: Mapping[str, Any]
    memory: Mapping[str, int] | None = None


def measure(task: Task, method: Method, prompt: str, observe: Observer | None = None) -> Measured:
    """From the prompt's text to decoded images on the host, clocked and counted."""
    meter = Meter(task.backbone.device)
    backbone = MeteredBackbone(task.backbone.under(task.solver), meter)
    reward = MeteredReward(task.reward, meter)
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
        )
        sampled = sample(problem, method, meter.phase, observe, task.together)
        with meter.phase("decode"):
            delivered = to_host(sampled.images)
    calls = {phase: dict(counts) for phase, counts in meter.calls.items()}
    return Measured(delivered, meter.seconds, calls, sampled.info, meter.memory)
