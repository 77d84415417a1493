"""Compute-matched controls: is a method better than its control at the method's own cost?

Best-of-N and LiDAR's own best lookahead samples are swept in their budgets; the control's quality
at the method's cost is read off the straight line, in log cost, between its two settings next to
it. Not off its frontier: a running maximum of noisy settings is too high, and a method as good as
its control would lose to it in 9, 19 or 28% of cases (2, 4, 6 settings that are truly alike) in
place of 2.5%.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.stats.bootstrap import Array
from bench.stats.frontier import in_order, quality_at
from bench.stats.interval import Interval, percentile
from bench.stats.sweep import Sweep, paired

SAME = 1.05  # costs within a twentieth are the same
OFTEN = 0.05  # share of draws

Status = Literal[
    "matched",
    "cheaper than the sweep",
    "dearer than the sweep",
    "cost too uncertain",
    "too few prompts",
]


@dataclass(frozen=True)
class Controlled:
    """Quality of the method less that of its control at ``cost``, the method's own.

    Where the method's cost is beyond an end of the control's sweep by more than a twentieth
    ("cheaper than", "dearer than the sweep"), the control's setting at that end stands in, and the
    comparison is of unequal costs. Where the estimate is not, but more than 5% of draws are, the
    cost is too uncertain to compare. ``stands_in``: the cost at which the control was read off.
    ``samples`` (draws,): the difference in every draw. ``difference`` is None where costs are too
    uncertain, or a stratum has a single prompt.
    """

    status: Status
    cost: float
    stands_in: float
    control: float
    samples: Array
    difference: Interval | None


def at_matched_cost(method: Sweep, control: Sweep) -> Controlled:
    """``method``, a sweep of one setting, against the settings of ``control``.

    Raises ValueError for sweeps that were resampled apart.
    """
    draws = paired(method, control)
    cost, own = float(method.cost.value[0]), float(method.quality.value[0])
    ends = float(control.cost.value[0]), float(control.cost.value[-1])
    stands_in = float(np.clip(cost, *ends))
    estimate = in_order(control.cost.value[None], control.quality.value[None])
    value = float(quality_at(*estimate, method.cost.value)[0][0])
    each = in_order(control.cost.samples, control.quality.samples)
    samples = method.quality.samples[:, 0] - quality_at(*each, method.cost.samples[:, 0])[0]
    if not draws.known:
        return Controlled("too few prompts", cost, stands_in, value, samples, None)
    budgets = method.cost.samples[:, 0]
    status: Status = "matched"
    if cost * SAME < ends[0]:
        status = "cheaper than the sweep"
    elif cost > ends[1] * SAME:
        status = "dearer than the sweep"
    else:
        beyond = (budgets * SAME < each[0][:, 0]) | (budgets > each[0][:, -1] * SAME)
        if beyond.mean() > OFTEN:
            return Controlled("cost too uncertain", cost, stands_in, value, samples, None)
    freedom = min(method.freedom, control.freedom)
    difference = percentile(own - value, samples, draws, freedom=freedom)
    return Controlled(status, cost, stands_in, value, samples, difference)
