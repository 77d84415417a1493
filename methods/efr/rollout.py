"""Backward rollout: x_0^i ~ p(x_0 | x_t) by running the model itself from x_t to clean.

    V(x_t)   = log mean_i exp(λ r_i)
    x̄_0^r − x̄_0 = Σ_i softmax(λ r)_i x_0^i − mean_i x_0^i        (no derivative needed)

With k = 1 every rollout ends at x̄_0: value as Tweedie's, shift zero. So it does along the ODE,
which has one end for one x_t.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import Any, ClassVar

import torch
from torch import Tensor

from methods.efr.base import Flags, Memory
from methods.interfaces import Level, Problem
from methods.posterior import ancestral, descent, glass
from methods.price import Calls, Price, scored
from methods.settings import at_least, one_of, whole
from methods.transfer import onto

WAYS = ("sde", "ode", "glass", "exact")


def rollout_value(rewards: Tensor, scale: float) -> Tensor:
    """log mean_i exp(λ r_i): (B, n) -> (B,)."""
    return (scale * rewards).logsumexp(dim=-1) - log(rewards.shape[-1])


def rollout_shift(samples: Tensor, rewards: Tensor, scale: float) -> Tensor:
    """Σ_i (softmax(λ r)_i − 1/n) x_0^i: samples (B, n, …), rewards (B, n) -> (B, …).

    The samples' mean is taken off first; the weights sum to zero, so only rounding changes.
    """
    weights = torch.softmax(scale * rewards, dim=-1) - 1 / rewards.shape[-1]
    centered = samples - samples.mean(dim=1, keepdim=True)
    return torch.einsum("bn,bn...->b...", weights.to(samples), centered)


@dataclass(frozen=True)
class Rollout:
    problem: Problem
    settings: RolloutSettings
    gradient: bool = False
    memory: Memory[tuple[Tensor, Tensor]] = field(default_factory=Memory)

    @property
    def scale(self) -> float:
        return self.settings.scale

    def _noise(self, x: Tensor, step: int, depth: int) -> Tensor:
        """(depth, B·n, …): for each particle one draw of the ledger, whatever the batch."""
        shape = (self.settings.n, depth, *x.shape[1:])
        names = [(*name, step) for name in self.problem.names(len(x))]
        drawn = self.problem.noise.stack(shape, "rollout", names)
        return onto(drawn, x).flatten(0, 1).transpose(0, 1)

    def draw(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        """Rollouts (B, n, …) from each particle."""
        n, by = self.settings.n, self.settings.by
        if by == "exact":
            return self._exact(x, level, step)
        backbone, condition = self.problem.backbone, self.problem.condition
        levels = descent(backbone, level, self.settings.steps)
        start, mean = x.repeat_interleave(n, dim=0), x0.repeat_interleave(n, dim=0)
        if by == "glass":
            z = glass(backbone, condition, start, mean, levels, self._noise(x, step, 1)[0])
        else:
            noise = self._noise(x, step, self.settings.steps)
            eta = 1.0 if by == "sde" else 0.0
            z = ancestral(backbone, condition, start, mean, levels, noise, eta)
        return z.reshape(len(x), n, *x.shape[1:])

    def _exact(self, x: Tensor, level: Level, step: int) -> Tensor:
        condition: Any = self.problem.condition
        n, noise = self.settings.n, self.problem.noise
        names = self.problem.names(len(x))
        uniform = [noise.uniform(n, "rollout component", *name, step) for name in names]
        normal = self._noise(x, step, 1)[0].reshape(len(x), n, *x.shape[1:])
        posterior = condition.prior.posterior(x, level.alpha, level.sigma)
        return posterior.sample(normal, torch.stack(uniform).to(x))

    def _scored(self, x: Tensor, level: Level, x0: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Rollouts (B, n, …) and their rewards (B, n), in float32 at least."""
        known = self.memory.recall(x, step)
        if known is not None:
            return known
        samples = self.draw(x, level, x0, step)
        rewards = self.problem.score(samples.flatten(0, 1)).reshape(samples.shape[:2])
        rewards = rewards.to(torch.promote_types(rewards.dtype, torch.float32))
        return self.memory.keep(x, step, (samples, rewards))

    def value(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        return rollout_value(self._scored(x, level, x0, step)[1], self.scale)

    def shift(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        samples, rewards = self._scored(x, level, x0, step)
        return rollout_shift(samples, rewards, self.scale)


@dataclass(frozen=True)
class RolloutSettings(Flags):
    """n >= 1 rollouts of ``steps`` k >= 1 steps; λ = ``scale`` >= 0. Ways to draw them (``by``):

    sde    k ancestral steps (DDIM with η = 1)
    ode    k deterministic steps; they all end in one point, so n must be 1
    glass  an inner deterministic flow of k steps (GLASS flows)
    exact  the posterior itself, where the prior is analytic; at once, so steps must be 1

    The first step reuses the loop's posterior mean: per value or shift and particle n·(k − 1)
    posterior means (fewer where fewer than k levels are left on a discrete grid), n decodes and n
    rewards.
    """

    conditional: ClassVar[bool] = True
    shared: ClassVar[bool] = True
    n: int = 4
    steps: int = 2
    scale: float = 10.0
    by: str = "sde"

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        whole("steps", self.steps, 1)
        at_least("scale", self.scale, 0)
        one_of("by", self.by, WAYS)
        if self.by == "ode" and self.n != 1:
            raise ValueError(
                f"n must be 1 where by is 'ode', whose rollouts are equal, got {self.n}"
            )
        if self.by == "exact" and self.steps != 1:
            raise ValueError(f"steps must be 1 where by is 'exact', got {self.steps}")

    @property
    def analytic(self) -> bool:  # type: ignore[override]
        return self.by == "exact"

    def prepare(self, problem: Problem) -> Rollout:
        return Rollout(problem, self)

    def price(self, problem: Problem) -> Price:
        means = self.n * (self.steps - 1) * problem.condition.evaluations
        each = scored(self.n) + Calls(denoiser=means)
        return Price(value=each, shift=each)
