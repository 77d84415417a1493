"""TFG: training-free guidance (Ye et al., arXiv 2409.15761, algorithm 1).

Variance guidance (a gradient by x_t) and mean guidance (gradients by x̄_0) move x_s:

    f̃(x_0) = mean_i exp(λ r(x_0 + σ_t ε_i))
    Δ_var  = ρ_t ∇_{x_t} log f̃(x̄_0);    Δ_0 ← Δ_0 + μ_t ∇ log f̃(x̄_0 + Δ_0), m times from 0
    x_s    ← x_s + (α_s/α_t) Δ_var + α_s Δ_0.

With the steer recurrence (repeats = N_recur − 1) its corners are DPS and FreeDoM (μ = σ = 0),
LGD-MC (μ = 0), MPGD (ρ = σ = 0) and universal guidance (σ = 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.gradients import derivative
from methods.interfaces import Level
from methods.path import SCHEDULES, share
from methods.settings import at_least, one_of, whole
from methods.state import Step


@dataclass(frozen=True)
class Tfg(Steer):
    """λ = ``scale``; strengths ρ = ``rho``, μ = ``mu``, σ = ``sigma``, all >= 0; m = ``inner``.

    ``…_schedule``: "increase" as α_t²/α_s², "decrease" as 1 − α_t²/α_s², both with mean 1 over the
    solver's steps (σ decreases as σ_t), or "constant". ``draws`` perturbations where σ > 0. Per
    step and particle: ``draws`` (or one) decodes and rewards forward and backward, once for ρ and
    ``inner`` times for μ, and for ρ a backward pass of the denoiser.
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
            one_of(f"{key}_schedule", getattr(self, f"{key}_schedule", "constant"), list(SCHEDULES))
        whole("inner", self.inner, 1)
        whole("draws", self.draws, 1)

    @property
    def requires(self) -> frozenset[str]:
        graph = ["graph"] if self.rho > 0 else []
        return frozenset(["derivative", "ancestral", *graph] if self.scale > 0 else [])

    def active(self, level: Level) -> bool:
        return self.scale > 0

    def shift(self, step: Step, memory: Memory) -> Tensor:
        levels = [*step.solver.levels, step.solver.end]
        here, lower = step.level, levels[step.index + 1]
        std = self.sigma * (here.sigma if self.sigma_schedule == "decrease" else 1.0)
        rho = self.rho * share(self.rho_schedule, levels, step.index)
        mu = self.mu * share(self.mu_schedule, levels, step.index)
        m = self.draws if std > 0 else 1
        noise = std * step.normal((m, *step.x.shape[1:]), "smoothing")

        def smoothed(x0: Tensor) -> Tensor:
            """log f̃, (B,)."""
            rewards = step.problem.score((x0.unsqueeze(1) + noise).flatten(0, 1))
            return (self.scale * rewards).reshape(len(x0), m).logsumexp(dim=1) - log(m)

        moved = torch.zeros_like(step.x)
        if self.rho > 0 and here.alpha > 0:
            moved = rho * lower.alpha / here.alpha * derivative(smoothed(step.x0).sum(), step.x)
        at = mean = step.x0.detach()
        for _ in range(self.inner if self.mu > 0 else 0):
            with torch.enable_grad():
                at = at.detach().requires_grad_()
                at = at + mu * derivative(smoothed(at).sum(), at)
        slope, _ = step.solver.transition(step.index)  # of x_s by x̄_0, which the loop adds to
        return (moved + lower.alpha * (at - mean)).detach() / slope
