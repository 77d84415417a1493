"""Backward rollout: x_0^i ~ p(x_0 | x_t) by running the model itself from x_t to clean.

    V(x_t)   = log mean_i exp(λ r_i)
    x̄_0^r − x̄_0 = Σ_i softmax(λ r)_i x_0^i − mean_i x_0^i        (no derivative needed)

With k = 1 every rollout ends at x̄_0: value as Tweedie's, shift zero. So it does along the ODE,
which has one end for one x_t. A distilled student makes it cheap: its jump from x_t, in place of
x̄_0, is shared by all n, and each renoises it and jumps again; with k = 1 all end at the jump.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Estimator
from methods.efr.student import check_student, jumps
from methods.interfaces import CLEAN, Level
from methods.mixture import GaussianMixture
from methods.posterior import ancestral, descent, glass
from methods.potentials import log_mean_exp
from methods.problem import Problem
from methods.settings import at_least, one_of, whole
from methods.state import Step
from methods.table import Table

WAYS = ("sde", "ode", "glass", "exact", "student")


def rollout_shift(samples: Tensor, rewards: Tensor, scale: float) -> Tensor:
    """Σ_i (softmax(λ r)_i − 1/n) x_0^i: samples (B, n, …), rewards (B, n) -> (B, …).

    The samples' mean is taken off first; the weights sum to zero, so only rounding changes.
    """
    weights = torch.softmax(scale * rewards, dim=-1) - 1 / rewards.shape[-1]
    centered = samples - samples.mean(dim=1, keepdim=True)
    return torch.einsum("bn,bn...->b...", weights.to(samples), centered)


@dataclass(frozen=True)
class RolloutEstimator(Estimator):
    """n >= 1 rollouts of ``steps`` k >= 1 steps; λ = ``scale`` >= 0. Ways to draw them (``by``):

    sde    k ancestral steps (DDIM with η = 1)
    ode    k deterministic steps; they all end in one point, so n must be 1
    glass  an inner deterministic flow of k steps (GLASS flows)
    exact  the posterior itself, where the prior is analytic; at once, so steps must be 1
    student  k jumps of the distilled denoiser of ``solver``, which no other way uses

    The first step reuses the loop's posterior mean: per value or shift and particle n·(k − 1)
    posterior means (fewer where fewer than k levels are left on a discrete grid), n decodes and n
    rewards; by the student one jump more.
    """

    n: int = 4
    steps: int = 2
    scale: float = 10.0
    by: str = "sde"
    solver: str | None = None

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
        if self.by == "student":
            check_student("solver", self.solver)
        elif self.solver is not None:
            raise ValueError(f"solver is for by: student alone, got {self.solver!r}")

    @property
    def requires(self) -> frozenset[str]:
        own = {"exact": {"analytic"}, "ode": {"continuous"}, "glass": {"continuous"}}
        own["student"] = {"continuous"}
        return frozenset({"condition"} | own.get(self.by, set()))

    def prepare(self, problem: Problem) -> Problem:
        """The problem under the model that the rollouts run."""
        return problem if self.solver is None else problem.under(self.solver)

    def value(self, step: Step, ready: Problem) -> Tensor:
        return log_mean_exp(self.scale * step.once(self.scored, ready)[1])

    def shift(self, step: Step, ready: Problem) -> Tensor:
        samples, rewards = step.once(self.scored, ready)
        return rollout_shift(samples, rewards, self.scale)

    def scored(self, step: Step, model: Problem) -> tuple[Tensor, Tensor]:
        """Rollouts (B, n, …) from each particle and their rewards (B, n), in float32 at least."""
        samples = self.drawn(step, model)
        rewards = step.problem.score(samples.flatten(0, 1)).reshape(samples.shape[:2])
        return samples, rewards.to(torch.promote_types(rewards.dtype, torch.float32))

    def drawn(self, step: Step, model: Problem) -> Tensor:
        """Rollouts (B, n, …) from each particle, by the problem's model or a student."""
        n, x, problem = self.n, step.x, step.problem
        if self.by == "exact":
            prior: GaussianMixture | Table = problem.condition.prior  # type: ignore[attr-defined]
            posterior = prior.posterior(x, step.level.alpha, step.level.sigma)
            uniform = step.uniform(n, "rollout component", self).to(x)
            normal = self._noise(step, 1)[0].reshape(len(x), n, *x.shape[1:])
            return posterior.sample(uniform, normal)
        levels = descent(problem.backbone, step.level, self.steps)
        if self.by == "student":
            return self._jumped(step, model, levels)
        start, mean = x.repeat_interleave(n, dim=0), step.x0.repeat_interleave(n, dim=0)
        if self.by == "glass":
            inner = self._noise(step, 1)[0]
            ends = glass(problem.backbone, problem.condition, start, mean, levels, inner)
        else:
            noise, eta = self._noise(step, self.steps), 1.0 if self.by == "sde" else 0.0
            parts = (problem.backbone, problem.kernel, problem.condition)
            ends = ancestral(*parts, start, mean, levels, noise, eta)
        return ends.reshape(len(x), n, *x.shape[1:])

    def _jumped(self, step: Step, student: Problem, levels: Sequence[Level]) -> Tensor:
        x, n = step.x, self.n
        jump = student.backbone.posterior_mean(x, step.level, student.condition)
        ends = jump.repeat_interleave(n, dim=0)
        if len(levels) > 2:
            noise = self._noise(step, self.steps - 1)
            start = student.kernel.renoise(ends, CLEAN, levels[1], noise[0])
            ends = jumps(student, start, levels[1:], noise[1:])
        return ends.reshape(len(x), n, *x.shape[1:])

    def _noise(self, step: Step, depth: int) -> Tensor:
        """(depth, B·n, …): for each particle one draw of the ledger, whatever the batch."""
        drawn = step.normal((self.n, depth, *step.x.shape[1:]), "rollout", self)
        return drawn.flatten(0, 1).transpose(0, 1)
