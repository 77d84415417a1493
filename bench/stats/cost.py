"""Cost over timed prompts: seconds relative to vanilla, and plain speedups."""

from __future__ import annotations

import numpy as np

from bench.stats.bootstrap import Array, Draws
from bench.stats.interval import LEVEL, Interval, student_ratio


def cost_ratio(method: Array, yardstick: Array, draws: Draws, *, level: float = LEVEL) -> Interval:
    """Cost relative to vanilla: Σ method seconds / Σ yardstick seconds over n timed prompts.

    Both are (n,), in seconds, positive, measured side by side on the same prompts.
    """
    check_seconds(draws, method, yardstick)
    weights = draws.weights
    samples = (weights @ method) / (weights @ yardstick)
    return student_ratio(method.sum() / yardstick.sum(), samples, draws, level=level)


def speedup(fast: tuple[Array, Array], slow: tuple[Array, Array], draws: Draws) -> Interval:
    """How many times faster ``fast`` is than ``slow``, each relative to its own yardstick.

    Each is (method seconds, yardstick seconds), all (n,) over the same prompts in the same order;
    the yardsticks cancel the drift of a shared machine between the two runs.
    """
    check_seconds(draws, *fast, *slow)
    weights = draws.weights
    value = (slow[0].sum() / slow[1].sum()) / (fast[0].sum() / fast[1].sum())
    samples = (weights @ slow[0]) / (weights @ slow[1]) * (weights @ fast[1]) / (weights @ fast[0])
    return student_ratio(value, samples, draws)


def check_seconds(draws: Draws, *seconds: Array) -> None:
    """Raise ValueError unless all are positive and of the draws' prompts."""
    draws.check(*seconds)
    if any(np.any(s <= 0) for s in seconds):
        raise ValueError("seconds must be positive: a timing of 0 is a failed measurement")
