"""A flow model sampled by an SDE along the variance-preserving interpolant (Kim et al., arXiv
2503.19385, sections 4 and 5, and its official code).

What a denoiser knows of a level is α/σ, so the posterior mean of a flow model serves on any
Gaussian path. Here it is x_r = α x_0 + σ ε with α = exp(−T/2), σ² = 1 − exp(−T) and
T = ½ r² (β_max − β_min) + r β_min at time r. Its velocity is u = α' x̄_0 + σ' ε̂, its score −ε̂/σ, and

    x_{r−Δ} = x_r − Δ (u + ½ g² ε̂/σ) + g √Δ z,   g(r) = norm · r²,

is a step of Euler and Maruyama. The times are r_k = √(1 − (k/n)²), close to each other at noise;
the last step arrives at the posterior mean, which is what the official code delivers.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp

import torch
from torch import Tensor

from methods.interfaces import CLEAN, Level

BETA_MIN, BETA_MAX = 0.1, 20.0


def interpolant(r: float) -> tuple[float, float]:
    """(α, σ) at time r in (0, 1]."""
    mass = r**2 * (BETA_MAX - BETA_MIN) / 2 + r * BETA_MIN
    return exp(-mass / 2), (1 - exp(-mass)) ** 0.5


class VpSde:
    """One trajectory of ``steps`` steps; ``level`` names a level of this (α, σ) as the model does.

    ``dtype`` is the latents'.
    """

    stochastic = True
    end = CLEAN

    def __init__(
        self,
        steps: int,
        norm: float,
        level: Callable[[float, float], Level],
        dtype: torch.dtype = torch.float32,
    ):
        self.norm, self.dtype = norm, dtype
        self.times = [(1 - (k / steps) ** 2) ** 0.5 for k in range(steps)]
        self.levels = [level(*interpolant(r)) for r in self.times]

    def initial(self, noise: Tensor) -> Tensor:
        return noise.to(self.dtype)

    def step(self, x0: Tensor, index: int, x: Tensor, noise: Tensor | None) -> Tensor:
        if index + 1 == len(self.times):
            return x0
        level, (by_mean, by_noise, std) = self.levels[index], self._parts(index)
        predicted = (x - level.alpha * x0) / level.sigma
        mean = x + by_mean * x0 + by_noise * predicted
        return mean if noise is None else mean + std * noise

    def transition(self, index: int) -> tuple[float, float]:
        if index + 1 == len(self.times):
            return 1.0, 0.0
        level, (by_mean, by_noise, std) = self.levels[index], self._parts(index)
        return by_mean - by_noise * level.alpha / level.sigma, std

    def _parts(self, index: int) -> tuple[float, float, float]:
        """What a step adds of x̄_0 and of ε̂, and the standard deviation of its noise."""
        r, level = self.times[index], self.levels[index]
        width, g = r - self.times[index + 1], self.norm * r**2
        rate = r * (BETA_MAX - BETA_MIN) + BETA_MIN  # of T by r: α' = −½ T' α, σ' = ½ T' α²/σ
        by_mean = width * rate * level.alpha / 2
        by_noise = -width * (rate * level.alpha**2 + g**2) / (2 * level.sigma)
        return by_mean, by_noise, float(g * width**0.5)

    def restart(self) -> None:
        """There is no history."""

    def select(self, ancestors: Tensor) -> None:
        """There is no history."""
