"""Several questions asked of one experiment: p-values, and Holm's correction of a family of them.

Holm (1979): of k p-values in order the smallest is multiplied by k, the next by k - 1 and so on,
and none may end below one before it. What is then at most α is decided with a chance of at most α
that any of the family is wrongly so, whatever their dependence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import stdtr

from bench.stats.bootstrap import Array
from bench.stats.interval import LEVEL, Interval, quantile_t


def p_value(
    found: Interval, freedom: int, threshold: float = 0.0, *, level: float = LEVEL
) -> float:
    """Two-sided probability of an estimate this far from ``threshold``, were that the truth.

    Read off an interval of ``level``: of Student's t with ``freedom``, whose scale is the half of
    the interval on the threshold's side. So it is below 1 - level exactly where the threshold lies
    outside. 1 where there is no interval.
    """
    if not found.known:
        return 1.0
    away = found.value - threshold
    half = found.value - found.low if away > 0 else found.high - found.value
    if half <= 0:  # no spread: the estimate is exact
        return 1.0 if away == 0 else 0.0
    return float(2 * stdtr(freedom, -abs(away) / half * quantile_t(freedom, level)))


def holm(p: Sequence[float] | Array) -> Array:
    """The p-values (k,) of a family, corrected, in the order given."""
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(values.size, 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1) if values.size else steps
    return corrected
