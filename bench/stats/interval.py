"""Intervals from draws: a Student interval, its logarithmic twin, percentiles, and Wilson's.

Which one, by simulation (beta-binomial GenEval, 6 tasks; tests/stats/test_coverage.py repeats it in
small):

- sums of many prompts (scores, differences, means): ``student``;
- ratios of seconds, often of few timed prompts: ``student_ratio``;
- the share of one task, often near 0 or 1: ``share``;
- what can fail to exist in a draw or is skewed (frontiers, speedup at matched quality):
  ``percentile``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student_t

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


def quantile_t(freedom: int, level: float = LEVEL) -> float:
    """Student's two-sided quantile, 1.96 at ``level`` 0.95 and many degrees of freedom."""
    return float(student_t.ppf((1 + level) / 2, freedom))


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


def percentile(value: float, samples: Array, draws: Draws, *, level: float = LEVEL) -> Interval:
    """The expanded percentile interval: quantiles Φ(±t(freedom)) of ``samples`` (draws,).

    Hesterberg (2015), "What teachers should know about the bootstrap": plain quantiles are too
    narrow for few prompts, as 1.96 is in place of Student's t. Ends are draws themselves, never
    between two, so samples may be infinite, for "beyond all others".
    """
    if not draws.known:
        return Interval(float(value), np.nan, np.nan, draws.prompts)
    outside = norm.cdf(-quantile_t(draws.freedom, level))
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
    z = float(norm.ppf((1 + level) / 2))
    variance = float(samples.var())
    size = float(prompts)
    if prompts > 1 and variance > ROUNDING:
        size = value * (1 - value) / variance * (z / quantile_t(prompts - 1, level)) ** 2
        size = float(np.clip(size, prompts, images))
    middle = (value + z**2 / (2 * size)) / (1 + z**2 / size)
    half = np.sqrt(value * (1 - value) / size + z**2 / (4 * size**2)) * z / (1 + z**2 / size)
    low, high = np.clip([middle - half, middle + half], 0, 1)
    return Interval(float(value), float(low), float(high), prompts)
