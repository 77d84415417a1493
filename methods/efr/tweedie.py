"""Tweedie, or first-order Taylor: V(x_t) ≈ λ r(x̄_0(x_t)).

The estimate of universal guidance (Bansal et al., arXiv 2302.07121), DPS (Chung et al., arXiv
2209.14687) and FK steering (Singhal et al., arXiv 2501.06848). E[exp(λ r)] ≥ exp(λ E[r]), so its
error grows with λ and with the posterior's spread, for a linear reward too.

With perturbations it is LGD-MC (Song et al., ICML 2023): the posterior is taken for a Gaussian
around x̄_0 of standard deviation τ = σ/√(α² + σ²), V(x_t) ≈ log mean_i exp(λ r(x̄_0 + τ ε_i)).

Too strong a tilt, since what is left of λ once the posterior's spread is averaged out is less:
reward damping (Dandapanthula & Boffi, arXiv 2606.02884) puts λ_t of ``methods.path.damped`` in
λ's place.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.base import Estimator
from methods.path import damped
from methods.potentials import log_mean_exp
from methods.settings import at_least, whole
from methods.state import Step


@dataclass(frozen=True)
class TweedieEstimator(Estimator):
    """λ = ``scale`` >= 0; ``perturbations`` m >= 0 around x̄_0, 0 for the plain estimate;
    ``damping`` s >= 0: the prior's standard deviation that λ is damped for, 0 for not at all.

    Per value: max(m, 1) decodes and rewards. Per shift: these forward and backward, and one
    backward pass of the denoiser.
    """

    scale: float = 10.0
    perturbations: int = 0
    damping: float = 0.0

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        whole("perturbations", self.perturbations, 0)
        at_least("damping", self.damping, 0)

    @property
    def requires(self) -> frozenset[str]:
        own = {"continuous"} if self.perturbations > 0 else set()
        return frozenset({"derivative", "graph", *own})

    def value(self, step: Step, ready: None = None) -> Tensor:
        m, x0, level = self.perturbations, step.x0, step.level
        scale = damped(self.scale, self.damping, level)
        if m == 0:
            return scale * step.problem.score(x0)
        spread = level.sigma / (level.alpha**2 + level.sigma**2) ** 0.5
        noise = step.normal((m, *x0.shape[1:]), "perturbation", self).flatten(0, 1)
        around = x0.repeat_interleave(m, dim=0) + spread * noise
        rewards = step.problem.score(around).reshape(len(x0), m)
        return log_mean_exp(scale * rewards)
