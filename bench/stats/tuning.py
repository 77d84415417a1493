"""Which of several settings to take, by a rule that is written down before the trials."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.stats.bootstrap import Array


def within_one_error(scores: Array, candidates: Sequence[int]) -> list[int]:
    """Of ``candidates`` those that the best of them does not beat by more than one standard error
    of the difference, paired by prompt. ``scores``: (trials, prompts), the higher the better."""
    best = max(candidates, key=lambda trial: (scores[trial].mean(), -trial))
    less = scores[best] - scores[list(candidates)]
    error = less.std(axis=1, ddof=1) / less.shape[1] ** 0.5
    return [c for c, m, e in zip(candidates, less.mean(axis=1), error, strict=True) if m <= e]


def chosen(quality: Array, judge: Array | None, strength: Sequence[float]) -> int:
    """The trial to take: the best in ``quality``; among those tied with it the best by the
    ``judge``, which did not guide; among those tied with that one the weakest.

    ``quality``, ``judge``: (trials, prompts); a tie is a difference of at most one paired standard
    error. ``strength``: one number a trial. Never by the reward that guided: it would choose what
    hacks it. Raises ValueError for fewer than two prompts, which have no standard error.
    """
    if quality.shape[1] < 2:
        raise ValueError("a choice needs at least two prompts that all trials finished")
    tied = within_one_error(quality, range(len(quality)))
    if judge is not None:
        tied = within_one_error(judge, tied)
    return min(tied, key=lambda trial: (strength[trial], trial))


def at_edge(choice: int, strength: Sequence[float]) -> bool:
    """Whether the trial lies at an end of its grid: beyond it something better may lie."""
    return len(strength) > 1 and strength[choice] in (np.min(strength), np.max(strength))


def beyond(strength: Sequence[float], choice: float) -> float:
    """The value to try next where ``choice`` is the least or the greatest: as far from it, in
    ratio, as its neighbour in the grid is, rounded to two digits."""
    ordered = sorted(strength)
    near = ordered[1] if choice == ordered[0] else ordered[-2]
    return float(f"{choice * choice / near:.2g}")
