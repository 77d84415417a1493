"""Tweedie, or first-order Taylor: V(x_t) ≈ λ r(x̄_0(x_t)).

The estimate of universal guidance (Bansal et al., arXiv 2302.07121), DPS (Chung et al., arXiv
2209.14687) and FK steering (Singhal et al., arXiv 2501.06848). E[exp(λ r)] ≥ exp(λ E[r]), so its
error grows with λ and with the posterior's spread, for a linear reward too.

With perturbations it is LGD-MC (Song et al., ICML 2023): the posterior is taken for a Gaussian
around x̄_0 of standard deviation τ = σ/√(α² + σ²), V(x_t) ≈ log mean_i exp(λ r(x̄_0 + τ ε_i)).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log
from typing import ClassVar

import torch
from torch import Tensor

from methods.efr.base import Flags, Memory
from methods.gradients import derivative
from methods.interfaces import Level, Problem
from methods.price import Calls, Price, scored
from methods.settings import at_least, whole
from methods.transfer import onto


@dataclass(frozen=True)
class Tweedie:
    problem: Problem
    scale: float
    perturbations: int = 0
    gradient: bool = True
    memory: Memory[Tensor] = field(default_factory=Memory)

    def value(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        known = self.memory.recall(x, step)
        return self._value(x, level, x0, step) if known is None else known

    def _value(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        if self.perturbations == 0:
            return self.scale * self.problem.score(x0)
        m = self.perturbations
        spread = level.sigma / (level.alpha**2 + level.sigma**2) ** 0.5
        names = [(*name, step) for name in self.problem.names(len(x))]
        noise = self.problem.noise.stack((m, *x.shape[1:]), "perturbation", names)
        around = x0.repeat_interleave(m, dim=0) + spread * onto(noise, x0).flatten(0, 1)
        rewards = self.problem.score(around).reshape(len(x), m)
        return (self.scale * rewards).logsumexp(dim=-1) - log(m)

    def shift(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        """(σ²/α) ∂V/∂x_t by autograd; ``x0`` must carry the graph back to ``x``.

        Zero at α = 0, where x_t says nothing of x_0 and a derivative by x_t has nothing to say.
        """
        if level.alpha == 0:
            return torch.zeros_like(x)
        value = self._value(x, level, x0, step)
        slope = derivative(value.sum(), x)
        self.memory.keep(x, step, value.detach())
        return level.sigma**2 / level.alpha * slope


@dataclass(frozen=True)
class TweedieSettings(Flags):
    """λ = ``scale`` >= 0; ``perturbations`` m >= 0 around x̄_0, 0 for the plain estimate.

    Per value: max(m, 1) decodes and rewards. Per shift: these forward and backward, and one
    backward pass of the denoiser.
    """

    gradient: ClassVar[bool] = True
    shared: ClassVar[bool] = True
    scale: float = 10.0
    perturbations: int = 0

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        whole("perturbations", self.perturbations, 0)

    def prepare(self, problem: Problem) -> Tweedie:
        return Tweedie(problem, self.scale, self.perturbations)

    def price(self, problem: Problem) -> Price:
        samples = max(self.perturbations, 1)
        back = Calls(denoiser_backward=problem.condition.evaluations)
        return Price(value=scored(samples), shift=scored(samples, backward=True) + back)
