"""Restart sampling (Xu et al., arXiv 2306.14878, algorithm 1).

When the solver first arrives at t_min, noise is added that takes x back up to t_max, and the
interval is solved again, K times: an ODE's small discretisation error with a stochastic sampler's
contraction of what has accumulated. Other steers act on every pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from methods.base import Steer
from methods.interfaces import Level
from methods.settings import ROUNDING, interval, whole


@dataclass(frozen=True)
class Restart(Steer):
    """``repeats`` K >= 0 passes more over ``interval`` [t_min, t_max] of t/T.

    Its ends are the solver's first levels at or below them. All that these steps cost, K times
    more. An interval between two levels of the solver holds no step and changes nothing.
    """

    spoils = frozenset({"density", "deterministic"})
    repeats: int = 2
    interval: tuple[float, float] = (0.1, 0.4)

    def __post_init__(self) -> None:
        whole("repeats", self.repeats, 0)
        interval("interval", self.interval)

    def route(self, route: Sequence[int], levels: Sequence[Level]) -> list[int]:
        bottom, top = (
            next((k for k in route if levels[k].fraction <= t + ROUNDING), route[-1])
            for t in self.interval
        )
        arrival = list(route).index(bottom) + 1
        again = list(range(top, bottom + 1)) if top < bottom else []
        return [*route[:arrival], *again * self.repeats, *route[arrival:]]
