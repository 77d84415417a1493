"""A method's budget swept: cost and quality of each setting, as estimates and over draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.stats.bootstrap import Array, Draws, Strata
from bench.stats.cost import check_seconds
from bench.stats.quality import overall


@dataclass(frozen=True)
class Estimates:
    """``value`` (k,) of k settings and their bootstrap ``samples`` (draws, k), all finite.

    ``freedom``: degrees of freedom of draws of their own, as of the timed prompts; None for those
    of the sweep, and for what is exact.
    """

    value: Array
    samples: Array
    freedom: int | None = None


@dataclass(frozen=True)
class Sweep:
    """k settings of one method in order of cost, measured on the draws' prompts.

    ``cost`` is positive, in any unit that the methods to be compared share (ratio to vanilla,
    seconds); ``quality`` is better where larger. Within a draw costs may change places.
    """

    cost: Estimates
    quality: Estimates
    draws: Draws

    def __post_init__(self) -> None:
        values = (self.cost.value, self.quality.value, self.cost.samples, self.quality.samples)
        if not all(np.all(np.isfinite(array)) for array in values):
            raise ValueError("an estimate of a sweep is NaN or infinite: leave the setting out")
        if np.any(self.cost.value <= 0) or np.any(np.diff(self.cost.value) < 0):
            raise ValueError(f"costs must be positive and in order, got {self.cost.value.tolist()}")

    @property
    def freedom(self) -> int:
        """The fewest degrees of freedom behind cost and quality."""
        own = (self.cost.freedom, self.quality.freedom)
        return min([self.draws.freedom, *(f for f in own if f is not None)])


def paired(*sweeps: Sweep) -> Draws:
    """The draws that all the sweeps share. Raises ValueError where they were drawn apart."""
    first = sweeps[0].draws
    same = (o.draws is first or np.array_equal(first.weights, o.draws.weights) for o in sweeps[1:])
    if not all(same):
        raise ValueError("the sweeps were resampled apart: use one set of prompts and one Draws")
    return first


def headlines(correct: Array, images: Array, tasks: Strata, draws: Draws) -> Estimates:
    """GenEval of k settings; ``correct`` and ``images`` (k, n) over the same n prompts."""
    values = overall(correct, images, tasks, np.ones((1, draws.prompts)))[0]
    return Estimates(values, overall(correct, images, tasks, draws.weights))


def means(values: Array, draws: Draws) -> Estimates:
    """Mean over prompts of k settings' ``values`` (k, n): a reward, or seconds a prompt."""
    draws.check(values)
    return Estimates(values.mean(axis=1), draws.weights @ values.T / draws.prompts)


def cost_ratios(method: Array, yardstick: Array, draws: Draws) -> Estimates:
    """Cost relative to vanilla of k settings: seconds (k, n) of the method and of its yardstick.

    Where only some of the prompts were timed, ``draws`` are of those alone, as many as the
    quality's: cost and quality then vary independently of each other, and intervals are as wide as
    the fewer prompts ask for.
    """
    check_seconds(draws, method, yardstick)
    if not draws.known:
        raise ValueError("a single timed prompt has no spread: time more, or pass exact costs")
    samples = (draws.weights @ method.T) / (draws.weights @ yardstick.T)
    return Estimates(method.sum(axis=1) / yardstick.sum(axis=1), samples, draws.freedom)
