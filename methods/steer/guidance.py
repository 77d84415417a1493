"""Guidance: x̄_0 ← x̄_0 + s · shift, while t/T lies in (low, high].

With lookahead this is LiDAR (arXiv 2602.03211, algorithm 1); with Tweedie, forward universal
guidance (arXiv 2302.07121): ε ← ε − σ λ ∇r(x̄_0); with rollout, rollout guidance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
        spared = not self.settings.last and state.step == state.steps - 1
        if spared or not self._active(state.level):
            return None
        scale = self.settings.scale * tempering(self.settings.tempering, state.level)
        return scale * self.estimator.shift(state.x, state.level, state.x0, state.step)


@dataclass(frozen=True)
class GuidanceSettings(Choice):
    """Guidance scale s = ``scale`` >= 0; ``interval`` (low, high] of t/T within [0, 1].

    ``tempering`` γ >= 0 lets s grow along the schedule as DAS does (``methods.path.tempering``);
    ``last`` false leaves the last step alone, which has no noise to weigh a guided proposal by.
    Per active step and particle: one shift of the estimator.
    """

    label: ClassVar[str] = "guidance"
    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)
    tempering: float = 0.0
    last: bool = True
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

    def price(self, course: Course) -> Calls:
        shift = self.chosen(course.estimators).price(course.problem).shift
        return shift * (course.particles * len(self._levels(course)))

    def _levels(self, course: Course) -> list[Level]:
        """The levels, one for each pass, at which it guides."""
        levels = [v for v in course.levels if self.scale > 0 and active(self.interval, v)]
        return levels if self.last else [v for v in levels if v != course.levels[-1]]

    def course(self, course: Course) -> Course:
        name = self.name(course.estimators)
        if not course.estimators[name].shared:
            return course
        known = {(name, level.fraction) for level in self._levels(course)}
        return replace(course, valued=course.valued | known)
