"""The bootstrap: prompts are the unit of resampling, tasks are the strata.

A bootstrap is a matrix of weights, ``weights[d, i]`` = how much prompt i counts in draw d. Every
statistic is a function of weighted sums, so a draw costs one row of a matrix product, and two
methods measured on the same prompts are compared under the same weights: that is the pairing.
Images of one prompt are never resampled apart from each other: they share its difficulty.

A draw takes n - 1 of a stratum's n prompts with replacement and weighs each by n / (n - 1) (Rao and
Wu, 1988; Rao, Wu and Yue, 1992). The spread over draws is then the unbiased s²/n in every stratum,
where n of n would give (n - 1)/n of it: a quarter too little with the demo's 4 prompts a task.
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


@dataclass(frozen=True)
class Draws:
    """Weights (draws, n) >= 0, and how many prompts and strata stand behind them.

    ``freedom`` = prompts less strata, the degrees of freedom of a stratified variance. ``known`` is
    False where a stratum has a single prompt: what another prompt would have given is then unknown,
    its weight is 1 in every draw, and no interval can be made of these draws.
    """

    weights: Array
    freedom: int
    known: bool

    @property
    def prompts(self) -> int:
        return self.weights.shape[1]

    def check(self, *values: Array) -> None:
        """Raise ValueError unless every array's last axis is the prompts, and finite."""
        for array in values:
            if array.shape[-1:] != (self.prompts,):
                raise ValueError(
                    f"these draws are over {self.prompts} prompts, the values have shape "
                    f"{array.shape}: give one value for each prompt, in the same order"
                )
            if not np.all(np.isfinite(array)):
                raise ValueError("a value of some prompt is NaN or infinite: leave the prompt out")


def resample(strata: Strata, draws: int, rng: np.random.Generator) -> Draws:
    """Draws of prompts within strata; each stratum keeps its total weight, its number of prompts.

    ``strata`` names the stratum of each of the n prompts. Raises ValueError if n or draws is 0.
    """
    names = np.asarray(strata)
    if names.size == 0 or draws < 1:
        raise ValueError(f"a bootstrap needs prompts and draws, got {names.size} and {draws}")
    weights = np.ones((draws, names.size))
    found, sizes = np.unique(names, return_counts=True)
    for name, size in zip(found, sizes, strict=True):
        if size > 1:
            picks = rng.integers(size, size=(draws, size - 1)) + size * np.arange(draws)[:, None]
            counts = np.bincount(picks.ravel(), minlength=draws * size).reshape(draws, size)
            weights[:, names == name] = counts * (size / (size - 1))
    return Draws(weights, names.size - found.size, bool(sizes.min() > 1))
