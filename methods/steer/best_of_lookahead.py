"""Best of lookahead: LiDAR's own best lookahead samples, delivered or taken for a start.

The sceptic's control: these samples are already drawn, scored and paid for before LiDAR's first
guided step. Whatever the target sampling adds must show against it. Delivered as they are, or
noised up to t and denoised again by the target solver, with whatever else steers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from methods.efr.lookahead import LookaheadSettings, PreparedLookahead
from methods.interfaces import CLEAN, Estimator, Level, Problem
from methods.loop import initial_noise
from methods.path import renoise
from methods.settings import at_least, whole
from methods.steer.base import Choice, NoSteer
from methods.steering import Course, Finals, Run, Setup


@dataclass(frozen=True)
class BestOfLookaheadSettings(Choice):
    """Needs a lookahead estimator with at least as many samples as particles are run.

    ``renoise``: t/T in [0, 1] up to which the samples are noised and denoised again, from the
    first of the target solver's levels at or below it, or its last; 0 delivers them as they are.
    """

    label: ClassVar[str] = "best_of_lookahead"
    starts: ClassVar[bool] = True
    keeps: ClassVar[bool] = True
    renoise: float = 0.0
    efr: str | None = None

    def __post_init__(self) -> None:
        at_least("renoise", self.renoise, 0)
        if self.renoise > 1:
            raise ValueError(f"renoise must be in [0, 1], got {self.renoise}")

    def check(self, setup: Setup) -> None:
        lookahead = self.chosen(setup.estimators)
        if not isinstance(lookahead, LookaheadSettings):
            raise ValueError("method.steer.best_of_lookahead.efr must name a lookahead estimator")
        key = "method.efr.lookahead.n (particles are picked from its samples)"
        whole(key, lookahead.n, setup.particles)
        if self.renoise == 0 and len(setup.steers) > 1:
            raise ValueError(
                "method.steer.best_of_lookahead.renoise must be above 0 beside another steer: at 0 "
                "the samples are delivered as they are and nothing else has a say"
            )

    def joint(self, candidates: int) -> bool:
        return True

    def _entered(self, levels: Sequence[Level]) -> list[Level]:
        """The levels at or below ``renoise``, the last one at least; none where it is 0."""
        if self.renoise == 0:
            return []
        floor = max(self.renoise, levels[-1].fraction)
        return [level for level in levels if level.fraction <= floor]

    def begin(self, problem: Problem, estimators: Mapping[str, Estimator], run: Run) -> Finals:
        lookahead = self.chosen(estimators)
        assert isinstance(lookahead, PreparedLookahead)
        estimate = lookahead.estimate
        order = estimate.rewards.argsort(descending=True, stable=True)[: run.particles]
        entered = self._entered(run.levels)
        if not entered:
            every = Finals(problem, estimate.samples, lookahead.images, estimate.rewards)
            return every.select(order)
        noise = initial_noise(problem, run.particles, purpose="renoise").to(estimate.samples)
        start = renoise(estimate.samples[order], CLEAN, entered[0], noise)
        return run(start, len(run.levels) - len(entered))

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> NoSteer:
        return NoSteer()

    def course(self, course: Course) -> Course:
        levels = self._entered(course.levels)
        if levels:
            first = course.steps - len({level.fraction for level in levels})
            return replace(course, levels=levels, first=first)
        lookahead = self.chosen(course.estimators)
        assert isinstance(lookahead, LookaheadSettings)
        return replace(course, levels=[], first=course.steps, decoded=lookahead.smoothing == 0)
