"""Tweedie, or first-order Taylor: V(x_t) ≈ λ r(x̄_0(x_t)).

The estimate of universal guidance (Bansal et al., arXiv 2302.07121), DPS (Chung et al., arXiv
2209.14687) and FK steering (Singhal et al., arXiv 2501.06848). Exact for a linear reward only up
to the posterior's spread: E[exp(λ r)] ≥ exp(λ E[r]), so its error grows with λ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.interfaces import Level, Problem
from methods.settings import at_least


@dataclass(frozen=True)
class Tweedie:
    """Per value: one decode and one reward. Per shift: these forward and backward, and one
    backward pass of the denoiser."""

    problem: Problem
    scale: float
    gradient: bool = True

    def value(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        return self.scale * self.problem.score(x0)

    def shift(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        """(σ²/α) λ ∂r(x̄_0(x_t))/∂x_t; ``x0`` must carry the graph back to ``x``."""
        total = self.scale * self.problem.score(x0).sum()
        (slope,) = torch.autograd.grad(total, x)
        return level.sigma**2 / level.alpha * slope


@dataclass(frozen=True)
class TweedieSettings:
    """λ = ``scale`` >= 0."""

    gradient: ClassVar[bool] = True
    scale: float = 10.0

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)

    def prepare(self, problem: Problem) -> Tweedie:
        return Tweedie(problem, self.scale)
