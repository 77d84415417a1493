"""The meter: one clock, and exact counts of calls, by phase.

Seconds run from the prompt's text to the decoded images on the host, the device synchronised at
both ends of every phase; model load and judging lie outside. Counts are samples, not batches: a
denoiser call on 4 latents under classifier-free guidance counts 8. A backward count is added when
autograd really passes through the wrapped call.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bench.schema import KINDS, PHASES
from methods.interfaces import Backbone, Condition, Level, Reward, Solver
from methods.mixture import Quadratic


def synchronize(device: torch.device) -> None:
    """Wait for the device's queued work, so that the host clock sees it."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


@dataclass
class Meter:
    """Seconds and calls of one prompt; ``total`` is the outer clock, ``other`` what is between."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PHASES, 0.0))
    calls: dict[str, Counter[str]] = field(
        default_factory=lambda: {p: Counter(dict.fromkeys(KINDS, 0)) for p in PHASES}
    )
    _phase: str = "prepare"

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        synchronize(self.device)
        self._phase, began = name, time.perf_counter()
        yield
        synchronize(self.device)
        self.seconds[name] += time.perf_counter() - began

    @contextmanager
    def whole(self) -> Iterator[None]:
        """The boundary of the clock around one prompt."""
        synchronize(self.device)
        began = time.perf_counter()
        yield
        synchronize(self.device)
        total = time.perf_counter() - began
        self.seconds["other"] = total - sum(self.seconds[p] for p in PHASES)
        self.seconds["total"] = total

    def count(self, kind: str, samples: int, output: Tensor) -> Tensor:
        """Count a forward call now, and its backward call when a gradient reaches ``output``."""
        self.calls[self._phase][kind] += samples
        if output.requires_grad:
            phase = self._phase

            def backward(gradient: Tensor) -> None:
                self.calls[phase][f"{kind}_backward"] += samples

            output.register_hook(backward)
        return output


class MeteredBackbone:
    """A backbone whose calls are counted."""

    def __init__(self, backbone: Backbone, meter: Meter):
        self._backbone, self._meter = backbone, meter
        self.latent_shape, self.device = backbone.latent_shape, backbone.device

    def under(self, solver: str) -> Backbone:
        inner = self._backbone.under(solver)
        return self if inner is self._backbone else MeteredBackbone(inner, self._meter)

    def encode(self, prompt: str, guidance: float | None = None) -> Condition:
        return self._backbone.encode(prompt, guidance)

    def posterior_mean(self, x: Tensor, level: Level, condition: Condition) -> Tensor:
        output = self._backbone.posterior_mean(x, level, condition)
        return self._meter.count("denoiser", len(x) * condition.evaluations, output)

    def unconditional(self, x: Tensor, level: Level, condition: Condition) -> Tensor | None:
        output = self._backbone.unconditional(x, level, condition)
        return None if output is None else self._meter.count("denoiser", len(x), output)

    def decode(self, x0: Tensor) -> Tensor:
        return self._meter.count("decode", len(x0), self._backbone.decode(x0))

    def solver(self, name: str, steps: int) -> Solver:
        return self._backbone.solver(name, steps)

    def level(self, fraction: float) -> Level:
        return self._backbone.level(fraction)


class MeteredReward:
    """A reward whose calls are counted."""

    def __init__(self, reward: Reward, meter: Meter):
        self._reward, self._meter = reward, meter
        self.name, self.differentiable = reward.name, reward.differentiable

    def quadratic(self, prompt: str, dimension: int) -> Quadratic:
        """The closed form of an analytic reward, which costs no call."""
        reward: Any = self._reward
        return reward.quadratic(prompt, dimension)

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        return self._meter.count("reward", len(images), self._reward(images, prompt))
