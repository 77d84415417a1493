"""Guidance: x̄_0 ← x̄_0 + s · shift, while t/T lies in (low, high].

With lookahead this is LiDAR (arXiv 2602.03211, algorithm 1); with Tweedie, forward universal
guidance (arXiv 2302.07121): ε ← ε − σ λ ∇r(x̄_0); with rollout, rollout guidance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from methods.interfaces import Estimator, EstimatorSettings, Level, Problem, State
from methods.settings import at_least, interval
from methods.steer.base import Choice, NoSteer


@dataclass(frozen=True)
class Guidance(NoSteer):
    estimator: Estimator
    scale: float
    interval: Sequence[float]

    def _active(self, level: Level) -> bool:
        return self.scale > 0 and self.interval[0] < level.fraction <= self.interval[1]

    def needs_gradient(self, level: Level) -> bool:
        return self.estimator.gradient and self._active(level)

    def shift(self, state: State) -> Tensor | None:
        if not self._active(state.level):
            return None
        return self.scale * self.estimator.shift(state.x, state.level, state.x0, state.step)


@dataclass(frozen=True)
class GuidanceSettings(Choice):
    """Guidance scale s = ``scale`` >= 0; ``interval`` (low, high] of t/T within [0, 1]."""

    label: ClassVar[str] = "guidance"
    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)
    efr: str | None = None

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        interval("interval", self.interval)

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        return self.scale > 0 and self.chosen(estimators).gradient

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Guidance:
        return Guidance(self.chosen(estimators), self.scale, self.interval)
