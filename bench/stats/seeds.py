"""Several seeds of one method: prompts stay the unit, seeds are averaged within a prompt.

Every draw of noise is keyed by seed and prompt, so images of different prompts are independent
whether or not they share a seed: a seed has no effect that is common to its prompts, and nothing
above the prompt is left to resample. Pooling the seeds' images makes each prompt's share more
precise, and the bootstrap over prompts then shows this precision and the prompts' own spread; a
hierarchical bootstrap over seeds would add a level that does not exist. The spread between seeds is
reported beside it: it is what a reader with one seed does not see, and it does not shrink the more
prompts' difficulties differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.stats.bootstrap import Array, Strata
from bench.stats.quality import headline


@dataclass(frozen=True)
class SeedSpread:
    """Each seed's score, their mean, and their standard deviation (None for a single seed)."""

    scores: tuple[float, ...]
    mean: float
    deviation: float | None


def pool(correct: Array, images: Array) -> tuple[Array, Array]:
    """(seeds, n) correct and judged images -> (n,) each, for `geneval` and its like.

    All seeds over the same prompts; a seed with fewer images of a prompt counts for less there.
    """
    _check(correct)
    if correct.shape != images.shape:
        raise ValueError(f"correct is {correct.shape} and images {images.shape}: give both alike")
    return correct.sum(axis=0), images.sum(axis=0)


def average(values: Array) -> Array:
    """(seeds, n) values, such as mean rewards, -> their mean over seeds (n,), for `mean`."""
    _check(values)
    return np.asarray(values.mean(axis=0))


def spread(correct: Array, images: Array, tasks: Strata) -> SeedSpread:
    """GenEval's headline of every seed and the standard deviation between seeds (seeds - 1)."""
    pool(correct, images)
    scores = [headline(*own, tasks) for own in zip(correct, images, strict=True)]
    deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else None
    return SeedSpread(tuple(scores), float(np.mean(scores)), deviation)


def _check(values: Array) -> None:
    if values.ndim != 2 or not values.size or not np.all(np.isfinite(values)):
        raise ValueError(
            f"expected finite values (seeds, prompts) over the same prompts, got {values.shape}"
        )
