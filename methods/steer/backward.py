"""Backward universal guidance (arXiv 2302.07121, equations 7 to 9).

m gradient steps on the clean prediction itself, without a way back through the denoiser:

    Δ ← Δ + η λ ∇r(x̄_0 + Δ),  from Δ = 0;      x̄_0 ← x̄_0 + Δ.

Beside forward guidance (tweedie × guidance) it is the rest of universal guidance; the shifts add.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.gradients import derivative
from methods.interfaces import Estimator, EstimatorSettings, Problem
from methods.price import Calls, scored
from methods.settings import at_least, interval, whole
from methods.steer.base import NoSteer, Plain
from methods.steer.guidance import active
from methods.steering import Course, State


@dataclass(frozen=True)
class Backward(NoSteer):
    problem: Problem
    settings: BackwardSettings

    def shift(self, state: State) -> Tensor | None:
        settings = self.settings
        if settings.scale == 0 or not active(settings.interval, state.level):
            return None
        mean = state.x0.detach()
        moved = torch.zeros_like(mean)
        for _ in range(settings.inner):
            with torch.enable_grad():
                at = (mean + moved).requires_grad_()
                slope = derivative(self.problem.score(at).sum(), at)
            moved = moved + settings.rate * settings.scale * slope
        return moved


@dataclass(frozen=True)
class BackwardSettings(Plain):
    """λ = ``scale`` >= 0, ``inner`` m >= 1 steps of ``rate`` η > 0 (squared latent units per λr).

    ``interval`` (low, high] of t/T. Per active step and particle: m decodes and m rewards, forward
    and backward; the denoiser is not differentiated.
    """

    label: ClassVar[str] = "backward"
    scale: float = 1.0
    rate: float = 0.1
    inner: int = 1
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        at_least("rate", self.rate, 0)
        whole("inner", self.inner, 1)
        interval("interval", self.interval)

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        return self.scale > 0

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Backward:
        return Backward(problem, self)

    def price(self, course: Course) -> Calls:
        steps = sum(self.scale > 0 and active(self.interval, level) for level in course.levels)
        return scored(course.particles * steps * self.inner, backward=True)
