"""Estimates with bootstrap intervals; prompts are the unit of resampling, tasks are the strata.

A bootstrap is a matrix of resample counts, ``counts[d, i]`` = how often draw d took prompt i. Each
statistic below is a ratio of weighted sums, so a draw costs one row of a matrix product, and two
methods measured on the same prompts are compared under the same ``counts``: that is the pairing.
Intervals are percentile intervals (Efron & Tibshirani, 1993, ch. 13); images of one prompt are
never resampled apart from each other, because they share the prompt's difficulty.

A stratum with a single prompt, or constant data, has no spread to resample: the interval is then
degenerate (low = value = high) and says nothing about certainty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Strata = Sequence[str] | NDArray[Any]
DRAWS = 2000
LEVEL = 0.95
ROUNDING = 1e-12


@dataclass(frozen=True)
class Interval:
    """A point estimate, the ends of its interval, and the number of prompts behind it."""

    value: float
    low: float
    high: float
    prompts: int

    @property
    def tie(self) -> bool:
        """For a difference: the interval covers 0, an end that is 0 but for rounding included."""
        return self.low <= ROUNDING and self.high >= -ROUNDING


def resample(strata: Strata, draws: int, rng: np.random.Generator) -> Array:
    """Counts (draws, n): each draw takes n prompts with replacement, as many a stratum as before.

    ``strata`` names the stratum of each of the n prompts. Raises ValueError if n or draws is 0.
    """
    names = np.asarray(strata)
    if names.size == 0 or draws < 1:
        raise ValueError(f"a bootstrap needs prompts and draws, got {names.size} and {draws}")
    counts = np.zeros((draws, names.size))
    for name in np.unique(names):
        members = np.flatnonzero(names == name)
        size = members.size
        picks = rng.integers(size, size=(draws, size)) + size * np.arange(draws)[:, None]
        counts[:, members] = np.bincount(picks.ravel(), minlength=draws * size).reshape(draws, size)
    return counts


def percentile(value: float, samples: Array, prompts: int, level: float = LEVEL) -> Interval:
    """The percentile interval of bootstrap ``samples`` (draws,) around the estimate ``value``."""
    low, high = np.quantile(samples, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high), prompts)


def task_shares(correct: Array, images: Array, tasks: Strata, counts: Array) -> dict[str, Array]:
    """Share of correct images, (draws,) for each task, in sorted order of the task names.

    ``correct`` and ``images`` (n,) are each prompt's number of correct and of judged images.
    """
    if not np.all((images > 0) & (correct >= 0) & (correct <= images)):
        raise ValueError("every prompt needs images > 0 and 0 <= correct <= images")
    names = np.asarray(tasks)
    shares = {}
    for task in np.unique(names):
        of = names == task
        shares[str(task)] = (counts[:, of] @ correct[of]) / (counts[:, of] @ images[of])
    return shares


def overall(correct: Array, images: Array, tasks: Strata, counts: Array) -> Array:
    """GenEval's headline, (draws,): the mean over tasks of the share of correct images."""
    return np.mean(list(task_shares(correct, images, tasks, counts).values()), axis=0)


def geneval(correct: Array, images: Array, tasks: Strata, counts: Array) -> Interval:
    """GenEval's headline score in [0, 1] with its interval."""
    one = np.ones((1, len(correct)))
    value = overall(correct, images, tasks, one)[0]
    return percentile(value, overall(correct, images, tasks, counts), len(correct))


def geneval_tasks(
    correct: Array, images: Array, tasks: Strata, counts: Array
) -> dict[str, Interval]:
    """Each task's share of correct images in [0, 1] with its interval."""
    values = task_shares(correct, images, tasks, np.ones((1, len(correct))))
    samples = task_shares(correct, images, tasks, counts)
    sizes = {task: int(np.sum(np.asarray(tasks) == task)) for task in values}
    return {t: percentile(values[t][0], samples[t], sizes[t]) for t in values}


def geneval_difference(
    method: tuple[Array, Array], reference: tuple[Array, Array], tasks: Strata, counts: Array
) -> Interval:
    """Headline score of ``method`` less that of ``reference``, paired by prompt.

    Each is (correct, images), both (n,) over the same n prompts in the same order.
    """
    n = len(method[0])
    one = np.ones((1, n))
    value = overall(*method, tasks, one)[0] - overall(*reference, tasks, one)[0]
    samples = overall(*method, tasks, counts) - overall(*reference, tasks, counts)
    return percentile(value, samples, n)


def mean(values: Array, counts: Array) -> Interval:
    """Mean over prompts of ``values`` (n,): a reward, a diversity, or a paired difference."""
    return percentile(values.mean(), counts @ values / counts.sum(axis=1), len(values))


def cost_ratio(method: Array, yardstick: Array, counts: Array) -> Interval:
    """Cost relative to vanilla: Σ method seconds / Σ yardstick seconds over n timed prompts.

    Both are (n,), in seconds, positive, measured side by side on the same prompts.
    """
    _positive(method, yardstick)
    value = method.sum() / yardstick.sum()
    return percentile(value, (counts @ method) / (counts @ yardstick), len(method))


def speedup(fast: tuple[Array, Array], slow: tuple[Array, Array], counts: Array) -> Interval:
    """How many times faster ``fast`` is than ``slow``, each relative to its own yardstick.

    Each is (method seconds, yardstick seconds), all (n,) over the same prompts in the same order;
    the yardsticks cancel the drift of a shared machine between the two runs.
    """
    _positive(*fast, *slow)
    value = (slow[0].sum() / slow[1].sum()) / (fast[0].sum() / fast[1].sum())
    samples = (counts @ slow[0]) / (counts @ slow[1]) * (counts @ fast[1]) / (counts @ fast[0])
    return percentile(value, samples, len(fast[0]))


def _positive(*seconds: Array) -> None:
    if any(np.any(~(s > 0)) for s in seconds):
        raise ValueError("seconds must be positive: a timing of 0 or NaN is a failed measurement")
