"""Best of lookahead: deliver LiDAR's own best lookahead samples and stop.

The sceptic's control: these samples are already drawn, scored and paid for before LiDAR's first
guided step. Whatever the target sampling adds must show against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from methods.efr.lookahead import LookaheadSettings, PreparedLookahead
from methods.interfaces import Estimator, EstimatorSettings, Finals, Problem
from methods.settings import whole
from methods.steer.base import Choice, NoSteer


@dataclass(frozen=True)
class BestOfLookahead(NoSteer):
    problem: Problem
    lookahead: PreparedLookahead

    def start(self) -> Finals:
        estimate = self.lookahead.estimate
        best = estimate.rewards.argsort(descending=True, stable=True)[: self.problem.images]
        every = Finals(self.problem, estimate.samples, self.lookahead.images, estimate.rewards)
        return every.select(best)


@dataclass(frozen=True)
class BestOfLookaheadSettings(Choice):
    """Needs a lookahead estimator with at least as many samples as images are delivered."""

    label: ClassVar[str] = "best_of_lookahead"
    efr: str | None = None

    def check(
        self, estimators: Mapping[str, EstimatorSettings], images: int, particles: int
    ) -> None:
        lookahead = self.chosen(estimators)
        if not isinstance(lookahead, LookaheadSettings):
            raise ValueError("method.steer.best_of_lookahead.efr must name a lookahead estimator")
        whole("method.efr.lookahead.n (images are picked from its samples)", lookahead.n, images)

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> BestOfLookahead:
        lookahead = self.chosen(estimators)
        assert isinstance(lookahead, PreparedLookahead)
        return BestOfLookahead(problem, lookahead)
