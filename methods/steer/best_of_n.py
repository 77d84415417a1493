"""Best-of-N: of each delivered image's N candidates, the one with the highest reward.

Candidates of one image are neighbours in the batch, and the first of them is vanilla's image.
Delivered images stay independent of each other. N decodes and N rewards per delivered image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from methods.interfaces import Estimator, EstimatorSettings, Finals, Problem
from methods.settings import whole
from methods.steer.base import NoSteer


@dataclass(frozen=True)
class BestOfN(NoSteer):
    n: int

    def finish(self, finals: Finals) -> Finals:
        groups = finals.rewards().reshape(-1, self.n)
        first = torch.arange(len(groups), device=groups.device) * self.n
        return finals.select(first + groups.argmax(dim=1))


@dataclass(frozen=True)
class BestOfNSettings:
    """n >= 1 candidates per delivered image."""

    n: int = 4

    def __post_init__(self) -> None:
        whole("n", self.n, 1)

    @property
    def candidates(self) -> int:
        return self.n

    def check(
        self, estimators: Mapping[str, EstimatorSettings], images: int, particles: int
    ) -> None:
        """Any method can be followed by it."""

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        return False

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> BestOfN:
        return BestOfN(self.n)
