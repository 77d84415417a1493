"""TFG: training-free guidance (Ye et al., arXiv 2409.15761, algorithm 1).

Variance guidance (a gradient by x_t) and mean guidance (gradients by x̄_0) move x_s:

    f̃(x_0) = mean_i exp(λ r(x_0 + σ_t ε_i))
    Δ_var  = ρ_t ∇_{x_t} log f̃(x̄_0);    Δ_0 ← Δ_0 + μ_t ∇ log f̃(x̄_0 + Δ_0), m times from 0
    x_s    ← x_s + (α_s/α_t)(α_t² + σ_t²) Δ_var + α_s Δ_0.

With the steer recurrence (repeats = N_recur − 1) its corners are DPS and FreeDoM (μ = σ = 0),
LGD-MC (μ = 0), MPGD (ρ = σ = 0) and universal guidance (σ = 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.gradients import derivative
from methods.path import SCHEDULES, share
from methods.potentials import log_mean_exp
from methods.settings import at_least, one_of, whole
from methods.state import Step


@dataclass(frozen=True)
class Tfg(Steer):
    """λ = ``scale``; strengths ρ = ``rho``, μ = ``mu``, σ = ``sigma``, all >= 0; m = ``inner``.

    ``…_schedule``: "increase" as ᾱ_t/ᾱ_s, "decrease" as 1 − ᾱ_t/ᾱ_s, both with mean 1 over the
    steps, or "constant"; σ may "decrease" as σ_t. ``draws`` perturbations where σ > 0. Per step and
    particle: ``draws`` (or 1) decodes and rewards both ways, once for ρ and ``inner`` times for μ,
    and for ρ a backward pass of the denoiser.
    """

    spoils = frozenset({"density"})
    scale: float = 1.0
    rho: float = 1.0
    mu: float = 1.0
    sigma: float = 0.1
    rho_schedule: str = "increase"
    mu_schedule: str = "increase"
    sigma_schedule: str = "decrease"
    inner: int = 1
    draws: int = 4

    def __post_init__(self) -> None:
        for key in ("scale", "rho", "mu", "sigma"):
            at_least(key, getattr(self, key), 0)
        for key in ("rho_schedule", "mu_schedule"):
            one_of(key, getattr(self, key), list(SCHEDULES))
        one_of("sigma_schedule", self.sigma_schedule, ("decrease", "constant"))
        whole("inner", self.inner, 1)
        whole("draws", self.draws, 1)

    @property
    def requires(self) -> frozenset[str]:
        graph = ["graph"] if self.rho > 0 else []
        return frozenset(["derivative", "ancestral", *graph] if self.scale > 0 else [])

    def shift(self, step: Step, memory: Memory) -> Tensor:
        levels = [*step.solver.levels, step.solver.end]
        here, lower = step.level, levels[step.index + 1]
        norm = here.alpha**2 + here.sigma**2  # 1 on the variance-preserving path of the paper
        std = self.sigma * (here.sigma / norm**0.5 if self.sigma_schedule == "decrease" else 1.0)
        rho = self.rho * share(self.rho_schedule, levels, step.index)
        mu = self.mu * share(self.mu_schedule, levels, step.index)
        m = self.draws if std > 0 else 1
        noise = std * step.normal((m, *step.x.shape[1:]), "smoothing") if std > 0 else 0.0

        def smoothed(x0: Tensor) -> Tensor:
            """log f̃, (B,)."""
            rewards = step.problem.score((x0.unsqueeze(1) + noise).flatten(0, 1))
            return log_mean_exp((self.scale * rewards).reshape(len(x0), m))

        moved = torch.zeros_like(step.x)
        if self.rho > 0 and here.alpha > 0:
            by_x = derivative(smoothed(step.x0).sum(), step.x, step.shared)
            moved = rho * norm * lower.alpha / here.alpha * by_x
        at = mean = step.x0.detach()
        for _ in range(self.inner if self.mu > 0 else 0):
            with torch.enable_grad():
                at = at.detach().requires_grad_()
                at = at + mu * derivative(smoothed(at).sum(), at)
        slope, _ = step.solver.transition(step.index)  # of x_s by x̄_0, which the loop adds to
        return (moved + lower.alpha * (at - mean)).detach() / slope
