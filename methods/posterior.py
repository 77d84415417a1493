"""Samples of x_0 ~ p(x_0 | x_t), drawn with the model itself.

All walk down ``levels``: the level of x_t first, then k − 1 lower ones, then clean. The posterior
mean at x_t is given, so k levels cost k − 1 calls of the denoiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from methods.interfaces import CLEAN, Backbone, Condition, Level
from methods.kernel import Kernel


def descent(backbone: Backbone, level: Level, steps: int) -> list[Level]:
    """``steps`` levels evenly spaced in time from ``level`` down, and clean.

    Fewer where a discrete grid of times has no more between.
    """
    levels = [level]
    for j in range(1, steps):
        inner = backbone.level(level.fraction * (1 - j / steps))
        if 0 < inner.fraction < levels[-1].fraction:
            levels.append(inner)
    return [*levels, CLEAN]


def ancestral(
    backbone: Backbone,
    kernel: Kernel,
    condition: Condition,
    x: Tensor,
    x0: Tensor,
    levels: Sequence[Level],
    noise: Tensor,
    eta: float,
) -> Tensor:
    """The reverse process itself: SDE (η = 1) or ODE (η = 0). ``noise`` (k, B, …) like x."""
    for j, (start, end) in enumerate(pairwise(levels)):
        mean = x0 if j == 0 else backbone.posterior_mean(x, start, condition)
        x = kernel.step(x, mean, start, end, noise[j], eta)
    return x


def glass(
    backbone: Backbone,
    condition: Condition,
    x: Tensor,
    x0: Tensor,
    levels: Sequence[Level],
    noise: Tensor,
) -> Tensor:
    """GLASS flow (arXiv 2509.25170): an inner deterministic flow from noise to p(x_0 | x_t).

    The inner path z = a x_0 + b ε starts at pure noise (a, b) = (0, 1) and ends clean. At fixed x_t
    its posterior mean E[x_0 | x_t, z] is the model's own: two Gaussian measurements of x_0 are one,
    of precision α²/σ² + a²/b² (the sufficient statistic),

        x* = α* (α/σ² x_t + a/b² z) / (α*²/σ*²),    α*²/σ*² = α²/σ² + a²/b².

    So the inner levels are chosen such that x* lies on ``levels``. ``noise`` is the inner start.
    """
    z, a, b = noise, 0.0, 1.0
    first = levels[0]
    for j, (level, after) in enumerate(pairwise(levels)):
        mean = x0
        if j > 0:
            precision = (level.alpha / level.sigma) ** 2
            seen = first.alpha / first.sigma**2 * x + a / b**2 * z
            mean = backbone.posterior_mean(level.alpha / precision * seen, level, condition)
        if after.sigma == 0:
            return mean
        ratio = (after.alpha / after.sigma) ** 2 - (first.alpha / first.sigma) ** 2
        next_a, next_b = (ratio / (1 + ratio)) ** 0.5, (1 / (1 + ratio)) ** 0.5
        z = next_a * mean + next_b / b * (z - a * mean)
        a, b = next_a, next_b
    raise AssertionError("the levels end clean")
