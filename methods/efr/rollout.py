"""Backward rollout: x_0^i ~ p(x_0 | x_t) by running the model itself from x_t to clean.

    V(x_t)   = log mean_i exp(λ r_i)
    x̄_0^r − x̄_0 = Σ_i softmax(λ r)_i x_0^i − mean_i x_0^i        (no derivative needed)

Each rollout takes k ancestral steps (DDIM with η = 1) over levels evenly spaced in time. The first
step reuses the posterior mean that the loop has computed at x_t, so n rollouts cost n·(k − 1)
denoiser samples, n decodes and n rewards per particle and estimate (fewer denoiser samples where
fewer than k levels are left on a discrete grid). With k = 1 every rollout ends at x̄_0: value as
Tweedie's, shift zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log
from typing import ClassVar

import torch
from torch import Tensor

from methods.interfaces import Level, Problem
from methods.path import ancestral_step
from methods.settings import at_least, whole


def rollout_value(rewards: Tensor, scale: float) -> Tensor:
    """log mean_i exp(λ r_i): (B, n) -> (B,)."""
    return (scale * rewards).logsumexp(dim=-1) - log(rewards.shape[-1])


def rollout_shift(samples: Tensor, rewards: Tensor, scale: float) -> Tensor:
    """Σ_i (softmax(λ r)_i − 1/n) x_0^i: samples (B, n, …), rewards (B, n) -> (B, …)."""
    weights = torch.softmax(scale * rewards, dim=-1) - 1 / rewards.shape[-1]
    return torch.einsum("bn,bn...->b...", weights.to(samples), samples)


@dataclass(frozen=True)
class Rollout:
    problem: Problem
    n: int
    steps: int
    scale: float
    gradient: bool = False

    def _draw(self, x: Tensor, level: Level, x0: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Rollouts (B, n, …) from each particle and their rewards (B, n)."""
        backbone = self.problem.backbone
        levels = [level]
        for j in range(1, self.steps):
            inner = backbone.level(level.fraction * (1 - j / self.steps))
            if 0 < inner.sigma < levels[-1].sigma:
                levels.append(inner)
        levels.append(backbone.level(0.0))
        z = x.repeat_interleave(self.n, dim=0)
        mean = x0.repeat_interleave(self.n, dim=0)
        for j, (start, end) in enumerate(pairwise(levels)):
            if j > 0:
                mean = backbone.posterior_mean(z, start, self.problem.condition)
            draws = [
                self.problem.noise(x.shape[1:], "rollout", particle, step, i, j)
                for particle in range(len(x))
                for i in range(self.n)
            ]
            z = ancestral_step(z, mean, start, end, torch.stack(draws).to(x))
        rewards = self.problem.score(z)
        return z.reshape(len(x), self.n, *x.shape[1:]), rewards.reshape(len(x), self.n)

    def value(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        return rollout_value(self._draw(x, level, x0, step)[1].float(), self.scale)

    def shift(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        samples, rewards = self._draw(x, level, x0, step)
        return rollout_shift(samples, rewards.float(), self.scale)


@dataclass(frozen=True)
class RolloutSettings:
    """n >= 1 rollouts of ``steps`` >= 1 steps; λ = ``scale`` >= 0."""

    gradient: ClassVar[bool] = False
    n: int = 4
    steps: int = 2
    scale: float = 10.0

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        whole("steps", self.steps, 1)
        at_least("scale", self.scale, 0)

    def prepare(self, problem: Problem) -> Rollout:
        return Rollout(problem, self.n, self.steps, self.scale)
