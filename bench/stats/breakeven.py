"""From how many images a prompt does a method with a fixed part, such as LiDAR's lookahead, pay?

cost(N) = P + N·a against N·r: P seconds to prepare a prompt, a seconds an image after that, r an
image of the rival. The method is cheaper at N images where N·d > P, d = r - a, so from the smallest
whole N above P/d; never where d <= 0. Costs are taken as linear in N: time images in batches of the
size in which they will be made.

The interval is Fieller's (1954): N is inside where the mean of P - N·d over prompts is no further
from 0 than t(freedom) standard errors. Unlike a quotient's ± it stays right where d is uncertain:
the interval then ends in "never".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.stats.bootstrap import Array, Draws
from bench.stats.cost import check_seconds
from bench.stats.interval import LEVEL, quantile_t


@dataclass(frozen=True)
class BreakEven:
    """The smallest number of images from which the method is cheaper; None is "never".

    ``low`` and ``high`` are the fewest and the most images that the timings leave open, either may
    be None; ``known`` is False where one prompt alone was timed: both are then None, unknown.
    """

    images: int | None
    low: int | None
    high: int | None
    prompts: int
    known: bool = True


def break_even(prepare: Array, per_image: Array, rival: Array, draws: Draws) -> BreakEven:
    """Break-even of seconds (n,) over the same n prompts.

    ``prepare`` >= 0, once a prompt; ``per_image`` and ``rival`` > 0, an image of the method (after
    preparing) and of the rival.
    """
    check_seconds(draws, per_image, rival)
    draws.check(prepare)
    if np.any(prepare < 0):
        raise ValueError("seconds to prepare must not be negative")
    fixed, gain = float(prepare.mean()), float((rival - per_image).mean())
    images = _above(fixed / gain) if gain > 0 else None
    if not draws.known:
        return BreakEven(images, None, None, draws.prompts, known=False)
    samples = draws.weights @ np.stack([prepare, rival - per_image], axis=1) / draws.prompts
    covariance = quantile_t(draws.freedom, LEVEL) ** 2 * np.cov(samples.T)
    low, high = (_end((fixed, gain), covariance, sign) for sign in (1, -1))
    return BreakEven(images, low, high, draws.prompts)


def _end(mean: tuple[float, float], covariance: Array, sign: int) -> int | None:
    """The smallest N >= 1 from which N·d - P + sign·sqrt(Var(P - N·d)) > 0, None where none is.

    ``covariance`` of (P, d), times t². The left side is convex (sign 1) or concave (sign -1) in N,
    so it stays positive only where its slope for large N is; it then turns positive at 1 or just
    above a root of (N·d - P)² = Var(P - N·d), a quadratic in N.
    """
    if mean[1] + sign * np.sqrt(covariance[1, 1]) <= 0:
        return None
    square = mean[1] ** 2 - covariance[1, 1]
    cross = mean[0] * mean[1] - covariance[0, 1]
    constant = mean[0] ** 2 - covariance[0, 0]
    roots = np.roots([square, -2 * cross, constant])
    # A double root comes out as a complex pair, or a whole number as a little less.
    near = [_above(r.real) for r in roots if abs(r.imag) < 1e-6 * abs(r) and r.real > 0]
    for n in sorted({1, *near, *(n + 1 for n in near)}):
        variance = covariance[0, 0] - 2 * n * covariance[0, 1] + n**2 * covariance[1, 1]
        if n * mean[1] - mean[0] + sign * np.sqrt(max(variance, 0.0)) > 0:
            return n
    return None


def _above(value: float) -> int:
    """The smallest whole number above ``value`` >= 0."""
    return int(np.floor(value)) + 1
