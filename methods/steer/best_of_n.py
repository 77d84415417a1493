"""Best-of-N: of each delivered image's N candidates, the one with the highest reward.

Candidates of one image are neighbours in the batch, and the first of them is vanilla's image.
Delivered images stay independent of each other. N decodes and N rewards per delivered image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.interfaces import Estimator, Problem
from methods.settings import whole
from methods.steer.base import NoSteer, Plain
from methods.steering import Finals


def best(rewards: Tensor, n: int) -> Tensor:
    """Of every n neighbours the index of the highest, the first of equals: (B,) -> (B/n,)."""
    groups = rewards.reshape(-1, n)
    return torch.arange(len(groups), device=groups.device) * n + groups.argmax(dim=1)


@dataclass(frozen=True)
class BestOfN(NoSteer):
    n: int

    def finish(self, finals: Finals) -> Finals:
        return finals.select(best(finals.rewards(), self.n))


@dataclass(frozen=True)
class BestOfNSettings(Plain):
    """n >= 1 candidates per delivered image."""

    label: ClassVar[str] = "best_of_n"
    order: ClassVar[int] = 2
    scores: ClassVar[bool] = True
    n: int = 4

    def __post_init__(self) -> None:
        whole("n", self.n, 1)

    @property
    def candidates(self) -> int:  # type: ignore[override]
        return self.n

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> BestOfN:
        return BestOfN(self.n)
