"""Repel: push the posterior mean away from negative samples, the worst lookahead samples.

The reference set {x^i} is the K lowest-reward lookahead samples (LiDAR, table 7). On x̄_0 at x_t:

    safe_denoiser (Kim et al., arXiv 2502.08011)
        s β (x̄_0 − Σ_i w_i x^i),  w = softmax_i(−‖x_t − α x^i‖²/(2σ²))
    sparse_repellency (Kirchhof et al., arXiv 2410.06025)
        s Σ_i ReLU(ρ/‖x̄_0 − x^i‖ − 1) (x̄_0 − x^i)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Estimator, Memory, Steer
from methods.efr.lookahead import Lookahead
from methods.settings import at_least, interval, one_of, whole
from methods.state import Step

RULES = ("safe_denoiser", "sparse_repellency")


def safe_denoiser(x0: Tensor, x: Tensor, references: Tensor, alpha: float, sigma: float) -> Tensor:
    """x̄_0 less the references' posterior mean at x_t: x0, x (B, …), references (K, …)."""
    point = Lookahead(references, references.new_zeros(len(references)), 0.0)
    return x0 - point.posterior_mean(x, alpha, sigma)


def sparse_repellency(x0: Tensor, references: Tensor, radius: float) -> Tensor:
    """Σ_i ReLU(ρ/‖x̄_0 − x^i‖ − 1) (x̄_0 − x^i), like x0 (B, …); nothing beyond the radius.

    As a weighted sum it needs no (B, K, …) tensor. A sample upon its reference has no direction to
    go and is left alone.
    """
    flat, others = x0.flatten(1), references.flatten(1).to(x0)
    distance = torch.cdist(flat, others)
    push = torch.where(distance > 0, (radius / distance - 1).clamp(min=0), 0.0 * distance)
    return (push.sum(dim=1, keepdim=True) * flat - push @ others).reshape(x0.shape)


@dataclass(frozen=True)
class Repel(Steer):
    """``scale`` s >= 0 and ``count`` K >= 1 references; ``interval`` (low, high] of t/T.

    ``rule`` "safe_denoiser" takes ``strength`` β >= 0, "sparse_repellency" ``radius`` ρ > 0 in
    latent units. No calls beyond the lookahead's.
    """

    spoils = frozenset({"density"})
    rule: str = "safe_denoiser"
    scale: float = 1.0
    count: int = 15
    strength: float = 0.05
    radius: float = 100.0
    interval: tuple[float, float] = (0.0, 1.0)
    efr: str | None = None

    def __post_init__(self) -> None:
        one_of("rule", self.rule, RULES)
        at_least("scale", self.scale, 0)
        whole("count", self.count, 1)
        at_least("strength", self.strength, 0)
        at_least("radius", self.radius, 0)
        interval("interval", self.interval)

    @property
    def requires(self) -> frozenset[str]:
        own = {"continuous"} if self.rule == "sparse_repellency" else set()
        return frozenset({"samples", *own})

    def check(self, estimators: Mapping[str, Estimator], particles: int) -> None:
        for name, estimator in estimators.items():
            key = f"efr: n of {name} (references are picked from its samples)"
            whole(key, getattr(estimator, "n", 0), self.count)

    def shift(self, step: Step, memory: Memory) -> Tensor:
        estimate = step.ready(self.efr).estimate
        worst = estimate.samples[estimate.rewards.argsort(stable=True)[: self.count]]
        x, x0, level = step.x.detach(), step.x0.detach(), step.level
        if self.rule == "safe_denoiser":
            away = safe_denoiser(x0, x, worst, level.alpha, level.sigma)
            return self.scale * self.strength * away
        return self.scale * sparse_repellency(x0, worst, self.radius)
