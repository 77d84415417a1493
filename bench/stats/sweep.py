"""A method's budget swept: cost and quality of each setting, as estimates and over draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.stats.bootstrap import Array, Draws, Strata
from bench.stats.cost import check_seconds
from bench.stats.quality import headline, overall


@dataclass(frozen=True)
class Estimates:
    """``value`` (k,) of k settings and their bootstrap ``samples`` (draws, k), all finite.

    ``freedom``: degrees of freedom of draws of their own, as of the timed prompts; None for those
    of the sweep, and for what is exact.
    """

    value: Array
    samples: Array
    freedom: int | None = None

    def __post_init__(self) -> None:
        if self.value.ndim != 1 or not self.value.size:
            raise ValueError(f"a sweep needs at least one setting, got shape {self.value.shape}")
        if self.samples.ndim != 2 or self.samples.shape[1:] != self.value.shape:
            raise ValueError(
                f"samples must be (draws, {self.value.size}), got {self.samples.shape}"
            )
        if not (np.all(np.isfinite(self.value)) and np.all(np.isfinite(self.samples))):
            raise ValueError("an estimate of a sweep is NaN or infinite: leave the setting out")


@dataclass(frozen=True)
class Sweep:
    """k settings of one method in order of increasing cost, measured on the draws' prompts.

    ``cost`` is positive, in any unit that the methods to be compared share (ratio to vanilla,
    seconds); ``quality`` is better where larger. Within a draw costs may change places.
    """

    cost: Estimates
    quality: Estimates
    draws: Draws

    def __post_init__(self) -> None:
        settings = (self.cost.value.size, self.quality.value.size)
        rows = {len(a) for a in (self.cost.samples, self.quality.samples, self.draws.weights)}
        if settings[0] != settings[1] or len(rows) != 1:
            raise ValueError(
                f"cost and quality are of {settings[0]} and {settings[1]} settings in {rows} "
                "draws: give both for every setting, from as many draws"
            )
        if np.any(self.cost.value <= 0) or np.any(self.cost.samples <= 0):
            raise ValueError(f"costs must be positive, got {self.cost.value.tolist()}")
        if np.any(np.diff(self.cost.value) <= 0):
            raise ValueError(
                f"settings must be in order of increasing cost, got {self.cost.value.tolist()}"
            )

    @property
    def freedom(self) -> int:
        """The fewest degrees of freedom behind cost and quality."""
        own = (self.cost.freedom, self.quality.freedom)
        return min([self.draws.freedom, *(f for f in own if f is not None)])

    def only(self, setting: int) -> Sweep:
        """The sweep of setting number ``setting`` (from 0, by cost) alone."""
        if not 0 <= setting < self.cost.value.size:
            raise ValueError(f"the settings are 0 to {self.cost.value.size - 1}, not {setting}")
        of = slice(setting, setting + 1)
        cost, quality = (
            Estimates(e.value[of], e.samples[:, of], e.freedom) for e in (self.cost, self.quality)
        )
        return Sweep(cost, quality, self.draws)


def paired(*sweeps: Sweep) -> Draws:
    """The draws that all the sweeps share. Raises ValueError where they were drawn apart."""
    first = sweeps[0].draws
    if not all(np.array_equal(first.weights, other.draws.weights) for other in sweeps[1:]):
        raise ValueError("the sweeps were resampled apart: use one set of prompts and one Draws")
    return first


def headlines(correct: Array, images: Array, tasks: Strata, draws: Draws) -> Estimates:
    """GenEval of k settings; ``correct`` and ``images`` (k, n) over the same n prompts."""
    if correct.ndim != 2 or correct.shape != images.shape:
        raise ValueError(f"correct and images must be (k, n), got {correct.shape}, {images.shape}")
    pairs = list(zip(correct, images, strict=True))
    values = np.array([headline(*pair, tasks) for pair in pairs])
    return Estimates(
        values, np.stack([overall(*pair, tasks, draws.weights) for pair in pairs], axis=1)
    )


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


def exact(values: Array, draws: Draws) -> Estimates:
    """k values without uncertainty, such as counts of calls."""
    return Estimates(values, np.tile(values, (len(draws.weights), 1)))
