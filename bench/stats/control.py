"""Compute-matched controls: is a method better than its control at the method's own cost?

Best-of-N and LiDAR's own best lookahead samples are swept in their budgets; the control's quality
at the method's cost is read off the control's frontier. The frontier's maximum favors the control
slightly: a method that wins has won against a lucky opponent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.stats.frontier import of_draws, of_estimates, quality_at
from bench.stats.interval import Interval, percentile
from bench.stats.sweep import Sweep, paired

Status = Literal["matched", "cheaper than the sweep", "dearer than the sweep", "too few prompts"]


@dataclass(frozen=True)
class Controlled:
    """Quality of the method less that of its control at ``cost``, the method's own.

    ``difference`` is None where the method's cost lies outside the costs at which the control was
    swept ("cheaper than", "dearer than the sweep": sweep the control further), or a stratum has a
    single prompt. ``share_inside``: share of draws in which it lies inside; in the others the
    nearest end of the control's frontier stands in.
    """

    status: Status
    cost: float
    control: float | None
    difference: Interval | None
    share_inside: float

    @property
    def tie(self) -> bool:
        """The difference's interval covers 0."""
        return self.difference is not None and self.difference.tie


def at_matched_cost(method: Sweep, control: Sweep) -> Controlled:
    """``method``, a sweep of one setting (``sweep.only(k)``), against ``control``'s frontier.

    Raises ValueError for more settings, or for sweeps that were resampled apart.
    """
    draws = paired(method, control)
    if method.cost.value.size != 1:
        raise ValueError("compare one setting of the method at a time: pass sweep.only(k)")
    cost, own = float(method.cost.value[0]), float(method.quality.value[0])
    value, within = quality_at(*of_estimates(control), method.cost.value)
    samples, inside = quality_at(*of_draws(control), method.cost.samples[:, 0])
    share = float(inside.mean())
    if not within[0]:
        cheaper = cost < control.cost.value[0]
        status: Status = "cheaper than the sweep" if cheaper else "dearer than the sweep"
        return Controlled(status, cost, None, None, share)
    if not draws.known:
        return Controlled("too few prompts", cost, float(value[0]), None, share)
    difference = percentile(own - value[0], method.quality.samples[:, 0] - samples, draws)
    return Controlled("matched", cost, float(value[0]), difference, share)
