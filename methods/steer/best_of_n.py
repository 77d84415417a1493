"""Best-of-N: of each delivered image's N candidates, the one with the highest reward.

Candidates of one image are neighbours in the batch, and the first of them is vanilla's image.
Delivered images stay independent of each other, unless they are chosen jointly: the best of all
candidates of the prompt together, as many as are delivered. Choosing jointly attains more reward
at the same cost, and is what best_of_lookahead does with its samples, so the two controls compare
like with like only if both are joint. N decodes and N rewards per delivered image.
"""

from __future__ import annotations

from dataclasses import dataclass

from methods.base import Memory, Steer
from methods.finals import Finals
from methods.resampling import best
from methods.settings import whole


@dataclass(frozen=True)
class BestOfN(Steer):
    """n >= 1 candidates per delivered image; ``joint``: chosen among all candidates of a prompt."""

    requires = frozenset({"pick"})
    spoils = frozenset({"pick"})
    n: int = 4
    joint: bool = False

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        if not isinstance(self.joint, bool):
            raise ValueError(f"joint must be true or false, got {self.joint!r}")

    @property
    def candidates(self) -> int:
        return self.n

    @property
    def population(self) -> int | None:
        return None if self.joint else 1

    def finish(self, finals: Finals, memory: Memory) -> Finals:
        rewards = finals.rewards()
        if not self.joint:
            return finals.select(best(rewards, self.n))
        order = rewards.argsort(descending=True, stable=True)
        return finals.select(order[: len(rewards) // self.n])
