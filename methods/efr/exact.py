"""Exact: V(x_t) and the tilted posterior mean in closed form.

Only for an analytic prior, a Gaussian mixture in ``condition.prior``, and an analytic reward, which
says by ``reward.quadratic(prompt, D)`` that it is quadratic or linear. What the other estimators
are measured against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from methods.base import Estimator
from methods.mixture import GaussianMixture, Quadratic
from methods.problem import Problem
from methods.settings import at_least
from methods.state import Step


@dataclass(frozen=True)
class ExactEstimator(Estimator):
    """λ = ``scale`` >= 0. No calls of denoiser, decoder or reward."""

    requires = frozenset({"analytic", "condition"})
    scale: float = 1.0

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)

    def prepare(self, problem: Problem) -> Quadratic:
        reward: Any = problem.reward
        (dimension,) = problem.backbone.latent_shape
        quadratic: Quadratic = reward.quadratic(problem.prompt, dimension)
        return quadratic

    def value(self, step: Step, ready: Quadratic) -> Tensor:
        return self._posterior(step).tilted(ready, self.scale)[0]

    def shift(self, step: Step, ready: Quadratic) -> Tensor:
        posterior = self._posterior(step)
        return posterior.tilted(ready, self.scale)[1].mean() - posterior.mean()

    def _posterior(self, step: Step) -> GaussianMixture:
        prior: GaussianMixture = step.problem.condition.prior  # type: ignore[attr-defined]
        return prior.posterior(step.x, step.level.alpha, step.level.sigma)
