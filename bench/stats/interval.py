"""Intervals from draws: Student's, its logarithmic twin, percentiles, and Wilson's.

- Sums over all prompts (scores, differences, means): ``student``.
- Ratios of seconds, often of few timed prompts: ``student_ratio``.
- The share of one task, often near 0 or 1: ``share``.
- What is skewed or may not exist in a draw (frontiers, matched speedups): ``percentile``.

Coverage of the nominal 95%, measured by simulation (beta-binomial GenEval of six tasks with the
shares of SD v1.5 and of SDXL, 600 to 1500 repetitions; tests/stats/test_coverage.py is its small
form), and for comparison that of plain percentiles of n-of-n draws on SD v1.5:

    prompts a task            4            16           92
    headline                  0.935–0.937  0.950–0.959  0.947–0.963
      plain percentiles       0.877        0.938        0.948
    paired difference         0.934–0.941  0.947–0.949  0.935–0.942
      plain percentiles       0.891        0.935        0.947
    a task's share            0.957–0.990  0.939–0.971  0.937–0.958
      plain percentiles       0.253–0.812  0.721–0.928  0.915–0.950
    mean of a skewed reward   0.941        0.947        0.962
    improvement               0.931–0.938  0.943–0.950  0.932–0.947

A cost ratio over 2, 3, 6, 16 and 92 timed prompts: 0.957, 0.944, 0.953, 0.953, 0.952; plain
percentiles over 3: 0.74.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit  # scipy.stats has the same and takes a second longer

from bench.stats.bootstrap import Array, Draws

LEVEL = 0.95
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """A point estimate, the ends of its interval, and the number of prompts behind it.

    The ends are NaN where the prompts cannot show a spread (``known`` is False): one prompt in a
    stratum. Data that are constant in every stratum show none: the interval is the estimate.
    """

    value: float
    low: float
    high: float
    prompts: int

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return bool(np.isfinite(self.low) and np.isfinite(self.high))

    @property
    def tie(self) -> bool:
        """For a difference: the interval covers 0, an end that is 0 but for rounding included.

        False where there is no interval: nothing is known then, not even a tie.
        """
        return self.low <= ROUNDING and self.high >= -ROUNDING


@cache
def quantile_t(freedom: int, level: float = LEVEL) -> float:
    """Student's two-sided quantile, 1.96 at ``level`` 0.95 and many degrees of freedom."""
    return float(stdtrit(freedom, (1 + level) / 2))


def tail(freedom: int, level: float = LEVEL) -> float:
    """The share of draws beyond either end of a percentile interval: Φ(-t(freedom))."""
    return float(ndtr(-quantile_t(freedom, level)))


def student(
    value: float,
    samples: Array,
    draws: Draws,
    *,
    level: float = LEVEL,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """value ± t(freedom) · sd(samples), cut to ``bounds``; ``samples`` (draws,) of the bootstrap.

    Efron and Tibshirani (1993), chapter 12, with the bootstrap's standard error.
    """
    if not draws.known:
        return Interval(float(value), np.nan, np.nan, draws.prompts)
    reach = quantile_t(draws.freedom, level) * float(samples.std())
    low, high = np.clip([value - reach, value + reach], *bounds)
    return Interval(float(value), float(low), float(high), draws.prompts)


def student_ratio(value: float, samples: Array, draws: Draws, *, level: float = LEVEL) -> Interval:
    """``student`` of the logarithm, for a positive ratio: 2× and 1/2× are equally far from 1×."""
    found = student(np.log(value), np.log(samples), draws, level=level)
    return Interval(
        float(value), float(np.exp(found.low)), float(np.exp(found.high)), found.prompts
    )


def percentile(
    value: float,
    samples: Array,
    draws: Draws,
    *,
    level: float = LEVEL,
    freedom: int | None = None,
) -> Interval:
    """The expanded percentile interval: quantiles Φ(±t(freedom)) of ``samples`` (draws,).

    ``freedom``: that of the draws where None; fewer where a part of the statistic rests on fewer
    prompts.

    Hesterberg (2015), "What teachers should know about the bootstrap": plain quantiles are too
    narrow for few prompts, as 1.96 is in place of Student's t. Ends are draws themselves, never
    between two, so samples may be infinite, for "beyond all others".
    """
    if not draws.known:
        return Interval(float(value), np.nan, np.nan, draws.prompts)
    outside = tail(draws.freedom if freedom is None else freedom, level)
    low, high = np.quantile(samples, [outside, 1 - outside], method="inverted_cdf")
    return Interval(float(value), float(low), float(high), draws.prompts)


def share(
    value: float, samples: Array, prompts: int, images: float, *, level: float = LEVEL
) -> Interval:
    """Wilson's interval of a share of ``images`` in clusters of ``prompts``, ends in [0, 1].

    The number of images is replaced by an effective one, p(1 - p)/variance · (z/t)² (Korn and
    Graubard, 1998; Wilson's interval as in Franco et al., 2019), the variance that of ``samples``
    (draws,), z and t the normal and Student's (prompts - 1) quantiles. It is kept between the
    number of prompts, as if the images of a prompt were all alike, and the number of images, as if
    they were unrelated. Where no spread shows (one prompt, or all correct) it is the former.
    """
    z = float(ndtri((1 + level) / 2))
    variance = float(samples.var())
    size = float(prompts)
    if prompts > 1 and variance > ROUNDING:
        size = value * (1 - value) / variance * (z / quantile_t(prompts - 1, level)) ** 2
        size = float(np.clip(size, prompts, images))
    middle = (value + z**2 / (2 * size)) / (1 + z**2 / size)
    half = np.sqrt(value * (1 - value) / size + z**2 / (4 * size**2)) * z / (1 + z**2 / size)
    low, high = np.clip([middle - half, middle + half], 0, 1)
    return Interval(float(value), float(low), float(high), prompts)
