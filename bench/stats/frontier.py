"""The cost–quality frontier: what a method attains for at most a given cost.

Settings in order of cost, the running maximum of their quality, between two settings a straight
line in the logarithm of the cost. Budgets are swept by factors and gain by factors (an error that
falls as a power of the budget, say), so equal steps of log cost are the natural unit, and a speedup
is a distance on that axis. Where a dearer setting is worse the frontier is flat up to it: that
budget buys nothing. Nothing is said left of the cheapest setting or right of the dearest: that
would be extrapolation.

A running maximum of noisy estimates is too high on average, and more so in draws, which add noise
of their own. Intervals here are percentiles of the frontiers of all draws.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench.stats.bootstrap import Array
from bench.stats.sweep import Sweep

EDGE = 1e-9  # relative: a cost this near to an end of the sweep is the end


def in_order(cost: Array, quality: Array) -> tuple[Array, Array]:
    """Rows (…, k) -> costs in increasing order, and the quality of each."""
    order = np.argsort(cost, axis=-1, kind="stable")
    return np.take_along_axis(cost, order, -1), np.take_along_axis(quality, order, -1)


def running_best(cost: Array, quality: Array) -> tuple[Array, Array]:
    """Rows (…, k) -> costs in increasing order and the best quality up to each."""
    ordered, own = in_order(cost, quality)
    return ordered, np.maximum.accumulate(own, axis=-1)


def cost_at(cost: Array, best: Array, level: Array) -> Array:
    """The least cost (m,) at which frontiers (m, k) attain ``level`` (m,), infinite where never.

    Where the cheapest setting is better than the level, its cost.
    """
    attained = best >= level[:, None]
    after = attained.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rows = np.arange(len(cost))
    (low, high), (left, right) = ((a[rows, before], a[rows, after]) for a in (best, np.log(cost)))
    part = np.where(high > low, (level - low) / np.where(high > low, high - low, 1), 1)
    found = np.exp(left + np.clip(part, 0, 1) * (right - left))
    return np.where(attained.any(axis=1), np.where(after > 0, found, cost[:, 0]), np.inf)


def quality_at(cost: Array, best: Array, budget: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Frontiers (m, k) at costs ``budget`` (m,): quality (m,), and whether inside the sweep (m,).

    Outside, the quality is that of the nearest end.
    """
    x, at = np.log(cost), np.log(budget)
    inside = (at >= x[:, 0] - EDGE) & (at <= x[:, -1] + EDGE)
    before = np.maximum((x <= at[:, None]).sum(axis=1) - 1, 0)
    after = np.minimum(before + 1, x.shape[1] - 1)
    rows = np.arange(len(cost))
    (left, right), (low, high) = ((a[rows, before], a[rows, after]) for a in (x, best))
    part = np.where(right > left, (at - left) / np.where(right > left, right - left, 1), 1)
    return low + np.clip(part, 0, 1) * (high - low), inside


def of_estimates(sweep: Sweep) -> tuple[Array, Array]:
    """The frontier of the estimates, as rows (1, k)."""
    return running_best(sweep.cost.value[None], sweep.quality.value[None])


def of_draws(sweep: Sweep) -> tuple[Array, Array]:
    """The frontiers of all draws, (draws, k)."""
    return running_best(sweep.cost.samples, sweep.quality.samples)
