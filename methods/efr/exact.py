"""Exact: V(x_t) and the tilted posterior mean in closed form.

Only for an analytic prior in ``condition.prior``, a Gaussian mixture or a table of strings, and an
analytic reward: ``reward.closed_form(prompt, prior)`` is what tilts the prior, a quadratic form or
every string's reward. What the other estimators are measured against.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from methods.base import Estimator
from methods.mixture import GaussianMixture
from methods.problem import Problem
from methods.settings import at_least
from methods.state import Step
from methods.table import Table


@dataclass(frozen=True)
class ExactEstimator(Estimator):
    """λ = ``scale`` >= 0. No calls of denoiser, decoder or reward."""

    requires = frozenset({"analytic", "condition"})
    scale: float = 1.0

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)

    def prepare(self, problem: Problem) -> Any:
        reward: Any = problem.reward
        condition: Any = problem.condition
        return reward.closed_form(problem.prompt, condition.prior)

    def value(self, step: Step, ready: Any) -> Tensor:
        return self._posterior(step).tilted(ready, self.scale)[0]

    def shift(self, step: Step, ready: Any) -> Tensor:
        posterior = self._posterior(step)
        return posterior.tilted(ready, self.scale)[1].mean() - posterior.mean()

    def _posterior(self, step: Step) -> GaussianMixture | Table:
        prior: GaussianMixture | Table = step.problem.condition.prior  # type: ignore[attr-defined]
        return prior.posterior(step.x, step.level.alpha, step.level.sigma)
