"""Speedup at matched quality: cost of the slow method over cost of the fast one at one quality.

Which quality? Three choices:

- ``best_of(slow)``: the best that the slow method attains, as in "reaches DATE's best GenEval 9.5
  times faster". The best of noisy settings is too good on average and picks its setting by luck.
  It is therefore picked anew in every draw, so that the interval holds the uncertainty of picking;
  a bias against the fast method stays, which is asked for the slow one's luck too.
- the quality of a setting named in advance, such as the published one: ``slow.only(k)`` in place of
  ``slow``, with its ``best_of``. No picking, no bias from it: prefer this where there is one.
- ``fixed(q)``: a number. A number read off the slow method's own frontier is reached by it in about
  half of the draws only, and "not reached" will be the answer: use the two above for that.

A draw in which the fast method does not reach the level counts as a speedup of 0: it is not faster
at any cost that was swept. So the interval's low end is 0 where more than 2.5% of the draws do not
reach it: nothing is claimed then, and nothing is dropped. A draw in which the slow method does not
reach the level would count as infinite; that only a `fixed` level can bring about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.stats.bootstrap import Array
from bench.stats.frontier import cost_at, of_draws, of_estimates
from bench.stats.interval import LEVEL, Interval, percentile
from bench.stats.sweep import Sweep, paired

# The fast method must reach the level in most draws: else the likelier reading is that it does not.
FAST_SHARE = 0.5
# The slow one in so many that no end of a 95% interval is infinite: it is what one compares with.
SLOW_SHARE = 0.975

Status = Literal["reached", "at least", "not reached", "below the sweep", "too few prompts"]


@dataclass(frozen=True)
class Level:
    """A quality: its estimate, and its value in every draw (draws,)."""

    value: float
    samples: Array


@dataclass(frozen=True)
class Matched:
    """The speedup at one quality, or why there is none.

    ``status``: "reached"; "at least": already the fast method's cheapest setting is better than
    the level, its cost stands in and the speedup is a lower bound; "not reached" by the methods
    ``missing``, by their estimates or in too many draws; "below the sweep": the slow method's
    cheapest setting is better, so its cost at the level is unknown; "too few prompts": a stratum
    with a single prompt. ``value`` is None but for the first two; then all its numbers are finite.
    ``share_reached``: share of draws in which both methods reach the level.
    """

    status: Status
    quality: float
    value: Interval | None
    share_reached: float
    missing: tuple[Literal["fast", "slow"], ...] = ()


def best_of(sweep: Sweep) -> Level:
    """The best quality of the sweep's settings, picked anew in every draw."""
    return Level(float(sweep.quality.value.max()), sweep.quality.samples.max(axis=1))


def fixed(quality: float, sweep: Sweep) -> Level:
    """The number ``quality``, on the scale of the sweep's qualities."""
    if not np.isfinite(quality):
        raise ValueError(f"a quality to match must be a number, got {quality}")
    return Level(float(quality), np.full(len(sweep.draws.weights), float(quality)))


def matched(fast: Sweep, slow: Sweep, level: Level, confidence: float = LEVEL) -> Matched:
    """cost of ``slow`` / cost of ``fast`` at ``level``, both read off their frontiers.

    Over the draws that the sweeps share; costs and qualities vary together. ``confidence`` at most
    0.95: SLOW_SHARE is made for it. Raises ValueError for sweeps that were resampled apart.
    """
    if not 0 < confidence <= LEVEL:
        raise ValueError(f"confidence must be in (0, {LEVEL}], got {confidence}")
    draws = paired(fast, slow)
    asked = np.array([level.value])
    costs = [float(cost_at(*of_estimates(sweep), asked)[0]) for sweep in (fast, slow)]
    samples = [cost_at(*of_draws(sweep), level.samples) for sweep in (fast, slow)]
    shares = [np.isfinite(of).mean() for of in samples]
    both = float(np.isfinite(np.stack(samples)).all(axis=0).mean())
    missing = tuple(
        name
        for name, cost, share, needed in zip(
            ("fast", "slow"), costs, shares, (FAST_SHARE, SLOW_SHARE), strict=True
        )
        if not (np.isfinite(cost) and share >= needed)
    )
    if missing:
        return Matched("not reached", level.value, None, both, missing)  # type: ignore[arg-type]
    if level.value < of_estimates(slow)[1][0, 0]:
        return Matched("below the sweep", level.value, None, both)
    if not draws.known:
        return Matched("too few prompts", level.value, None, both)
    status: Status = "at least" if level.value < of_estimates(fast)[1][0, 0] else "reached"
    reached = np.isfinite(samples[0])
    ratios = np.divide(samples[1], samples[0], out=np.zeros_like(samples[0]), where=reached)
    found = percentile(costs[1] / costs[0], ratios, draws, level=confidence)
    return Matched(status, level.value, found, both)
