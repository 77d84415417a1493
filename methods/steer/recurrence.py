"""Self-recurrence (universal guidance, arXiv 2302.07121, section 3.3; RePaint, arXiv 2201.09865).

Each solver step is taken k times more, and its result noised up again in between. Guidance acts k
more times, and the added noise returns samples that it pushed off the model's path. A multistep
solver starts afresh after the added noise, so the step that counts is one of first order. Beside
restart, the detours are made in the order of the method's steers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from methods.base import Steer
from methods.interfaces import Level
from methods.settings import interval, whole, within


@dataclass(frozen=True)
class Recurrence(Steer):
    """``repeats`` k >= 0 while t/T lies in ``interval``: all that a step costs, k times more."""

    spoils = frozenset({"density", "deterministic"})
    repeats: int = 1
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        whole("repeats", self.repeats, 0)
        interval("interval", self.interval)

    def route(self, route: Sequence[int], levels: Sequence[Level]) -> list[int]:
        made = list(route[:1])
        for here, there in pairwise(route):
            repeated = there > here and within(self.interval, levels[here])
            made += [there, here] * (self.repeats if repeated else 0) + [there]
        return made
