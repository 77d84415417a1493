"""Exact: V(x_t) and the tilted posterior mean in closed form.

Only for an analytic prior, a Gaussian mixture in ``condition.prior``, and an analytic reward, which
says by ``reward.quadratic(prompt, D)`` that it is quadratic or linear. What the other estimators
are measured against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from methods.efr.base import Flags
from methods.interfaces import Level, Problem
from methods.mixture import GaussianMixture, Quadratic
from methods.price import FREE, Price
from methods.settings import at_least


@dataclass(frozen=True)
class Exact:
    """From a mixture prior, a quadratic reward and λ = ``scale``; usable alone."""

    prior: GaussianMixture
    reward: Quadratic
    scale: float
    gradient: bool = False

    def value(self, x: Tensor, level: Level, x0: Tensor | None = None, step: int = 0) -> Tensor:
        """V(x_t) for x (B, D): (B,)."""
        posterior = self.prior.posterior(x, level.alpha, level.sigma)
        return posterior.tilted(self.reward, self.scale)[0]

    def shift(self, x: Tensor, level: Level, x0: Tensor | None = None, step: int = 0) -> Tensor:
        """Tilted posterior mean minus posterior mean, like x (B, D)."""
        posterior = self.prior.posterior(x, level.alpha, level.sigma)
        return posterior.tilted(self.reward, self.scale)[1].mean() - posterior.mean()


@dataclass(frozen=True)
class ExactSettings(Flags):
    """λ = ``scale`` >= 0."""

    analytic: ClassVar[bool] = True
    conditional: ClassVar[bool] = True
    scale: float = 1.0

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)

    def prepare(self, problem: Problem) -> Exact:
        condition: Any = problem.condition
        reward: Any = problem.reward
        (dimension,) = problem.backbone.latent_shape
        quadratic = reward.quadratic(problem.prompt, dimension)
        return Exact(condition.prior, quadratic, self.scale)

    def price(self, problem: Problem) -> Price:
        return FREE
