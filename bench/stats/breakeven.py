"""From how many images a prompt does a method with a fixed part, such as LiDAR's lookahead, pay?

cost(N) = P + N·a against N·r: P seconds to prepare a prompt, a seconds an image after that, r an
image of the rival. The method is cheaper at N images where N·d > P, d = r - a, so from the smallest
whole N above P/d; never where d <= 0. Costs are taken as linear in N: time images in batches of the
size in which they will be made.

The interval is the expanded percentile one over bootstrap draws, in which N may be never: unlike a
quotient's ± it stays right where d is uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.stats.bootstrap import Array, Draws
from bench.stats.cost import check_seconds
from bench.stats.interval import percentile


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
    fixed, gain = prepare, rival - per_image
    samples = _images(draws.weights @ fixed, draws.weights @ gain)
    value = float(_images(fixed.sum(), gain.sum()))
    found = percentile(value, samples, draws)
    ends = (found.low, found.high) if draws.known else (np.inf, np.inf)
    images, low, high = (None if np.isinf(end) else int(end) for end in (value, *ends))
    return BreakEven(images, low, high, draws.prompts, draws.known)


def _images(fixed: Array, gain: Array) -> Array:
    """The smallest whole number above fixed / gain, infinite where there is no gain."""
    ratio = np.divide(fixed, gain, out=np.full(np.shape(gain), np.inf), where=gain > 0)
    return np.floor(ratio) + 1
