"""Guidance: x̄_0 ← x̄_0 + s · shift, while t/T lies in (low, high].

With lookahead this is LiDAR (arXiv 2602.03211, algorithm 1); with Tweedie, forward universal
guidance (arXiv 2302.07121): ε ← ε − σ λ ∇r(x̄_0); with rollout, rollout guidance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from methods.interfaces import Estimator, EstimatorSettings, Level, Problem
from methods.path import tempering
from methods.price import Calls
from methods.settings import at_least, interval
from methods.steer.base import Choice, NoSteer
from methods.steering import Course, State


def active(span: Sequence[float], level: Level) -> bool:
    """Whether t/T lies in (low, high]."""
    return span[0] < level.fraction <= span[1]


@dataclass(frozen=True)
class Guidance(NoSteer):
    estimator: Estimator
    settings: GuidanceSettings

    def _active(self, level: Level) -> bool:
        return self.settings.scale > 0 and active(self.settings.interval, level)

    def needs_gradient(self, level: Level) -> bool:
        return self.estimator.gradient and self._active(level)

    def shift(self, state: State) -> Tensor | None:
        if not self._active(state.level):
            return None
        scale = self.settings.scale * tempering(self.settings.tempering, state.level)
        return scale * self.estimator.shift(state.x, state.level, state.x0, state.step)


@dataclass(frozen=True)
class GuidanceSettings(Choice):
    """Guidance scale s = ``scale`` >= 0; ``interval`` (low, high] of t/T within [0, 1].

    ``tempering`` γ >= 0 lets s grow along the schedule as DAS does (``methods.path.tempering``).
    Per active step and particle: one shift of the estimator.
    """

    label: ClassVar[str] = "guidance"
    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)
    tempering: float = 0.0
    efr: str | None = None

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        interval("interval", self.interval)
        at_least("tempering", self.tempering, 0)

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        return self.scale > 0 and self.chosen(estimators).gradient

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Guidance:
        return Guidance(self.chosen(estimators), self)

    def price(
        self,
        problem: Problem,
        course: Course,
        particles: int,
        estimators: Mapping[str, EstimatorSettings],
    ) -> Calls:
        steps = sum(self.scale > 0 and active(self.interval, level) for level in course.levels)
        return self.chosen(estimators).price(problem).shift * (particles * steps)
