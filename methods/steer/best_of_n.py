"""Best-of-N: of each delivered image's N candidates, the one with the highest reward.

Candidates of one image are neighbours in the batch, and the first of them is vanilla's image.
Delivered images stay independent of each other. N decodes and N rewards per delivered image.
"""

from __future__ import annotations

from dataclasses import dataclass

from methods.base import Memory, Steer
from methods.finals import Finals
from methods.resampling import best
from methods.settings import whole


@dataclass(frozen=True)
class BestOfN(Steer):
    """n >= 1 candidates per delivered image."""

    requires = frozenset({"pick"})
    spoils = frozenset({"pick"})
    n: int = 4

    def __post_init__(self) -> None:
        whole("n", self.n, 1)

    @property
    def candidates(self) -> int:
        return self.n

    def finish(self, finals: Finals, memory: Memory) -> Finals:
        return finals.select(best(finals.rewards(), self.n))
