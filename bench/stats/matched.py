"""Speedup at matched quality: cost of the slow method over cost of the fast one at one quality.

Which quality? ``best_of(slow)``: the best that the slow method attains, as in "reaches DATE's best
GenEval 9.5 times faster". The best of noisy settings is too good on average and picks its setting
by luck. It is therefore picked anew in every draw, so that the interval holds the uncertainty of
picking; a bias against the fast method stays, which is asked for the slow one's luck too.

Sweep both methods. Against a single setting the fast method's frontier has its luck and the slow
method has none, and the speedup is overstated where the curves are flat.

Measured by simulation of a planted 4.0 times (1000 repetitions, 5 settings of the slow and 8 of the
fast method, 16 or 100 prompts, curves linear in log cost or saturating; of the 95% intervals given,
the share that cover): ``best_of`` 0.956 to 0.980 on linear curves, 0.986 to 0.999 on saturating
ones; a single setting of the slow method 0.939 to 0.956 and 0.876 to 0.960. Medians of the
estimate: 3.2 to 4.0, and for a single setting 4.0 to 12.5: the first errs against the fast method,
the last for it.

A draw in which the fast method does not reach the level counts as a speedup of 0: it is not faster
at any cost that was swept. So the interval's low end is 0 where more than 2.5% of the draws do not
reach it: nothing is claimed then, and no draw is dropped. A draw in which the slow method does not
reach the level, while the fast one does, would count as infinite: the slow method must therefore
reach it in all draws but those beyond the interval's high end (2.5%, fewer on few prompts). The
fast method must reach it in half of the draws: else the likelier reading is that it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.stats.bootstrap import Array
from bench.stats.frontier import cost_at, of_draws, of_estimates
from bench.stats.interval import Interval, percentile, tail
from bench.stats.sweep import Sweep, paired

FAST_SHARE = 0.5

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
    the level, by the estimate or in too many draws, its cost stands in, and value and interval are
    of a lower bound; "not reached" by the
    methods ``missing`` ("fast", "slow"), by their estimates or in too many draws; "below the
    sweep": the slow method's cheapest setting is better, so its cost at the level is unknown; "too
    few prompts": a stratum with a single prompt. ``value`` is None but for the first two; then all
    its numbers are finite. ``share_reached``: share of draws in which both reach the level.
    """

    status: Status
    quality: float
    value: Interval | None
    share_reached: float
    missing: tuple[str, ...] = ()


def best_of(sweep: Sweep) -> Level:
    """The best quality of the sweep's settings, picked anew in every draw."""
    return Level(float(sweep.quality.value.max()), sweep.quality.samples.max(axis=1))


def matched(fast: Sweep, slow: Sweep, level: Level) -> Matched:
    """cost of ``slow`` / cost of ``fast`` at ``level``, both read off their frontiers.

    Over the draws that the sweeps share: costs, qualities and level vary together. Raises
    ValueError for sweeps that were resampled apart.
    """
    draws = paired(fast, slow)
    asked = np.array([level.value])
    costs = [float(cost_at(*of_estimates(sweep), asked)[0]) for sweep in (fast, slow)]
    samples = np.stack([cost_at(*of_draws(sweep), level.samples) for sweep in (fast, slow)])
    reached = np.isfinite(samples)
    both = float(reached.all(axis=0).mean())
    if not draws.known:
        return Matched("too few prompts", level.value, None, both)
    freedom = min(fast.freedom, slow.freedom)
    few = tail(freedom)
    needed = {"fast": FAST_SHARE, "slow": 1 - few}
    enough = np.isfinite(costs) & (reached.mean(axis=1) >= list(needed.values()))
    if not enough.all():
        missing = tuple(name for name, is_so in zip(needed, enough, strict=True) if not is_so)
        return Matched("not reached", level.value, None, both, missing)
    if level.value < of_estimates(slow)[1][0, 0]:
        return Matched("below the sweep", level.value, None, both)
    below = level.value < of_estimates(fast)[1][0, 0]
    often = float((level.samples < of_draws(fast)[1][:, 0]).mean()) > few
    status: Status = "at least" if below or often else "reached"
    ratios = np.divide(samples[1], samples[0], out=np.zeros_like(samples[0]), where=reached[0])
    found = percentile(costs[1] / costs[0], ratios, draws, freedom=freedom)
    return Matched(status, level.value, found, both)
