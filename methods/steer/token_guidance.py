"""Guidance of strings by the lookahead estimate: three rules for one question.

With P^r and P the tilted and the plain posterior mean of the lookahead samples, and p = x̄_0:

    additive  p + s (P^r − P)                     Gaussian guidance as it is, on one-hot x_0
    ratio     p · (P^r/P)^s, normalised           the same two means; it stays in the simplex
    token     p(x_s | x_t) · h(x_s)^s, normalised, with h(y) = Σ_i e^{λ r_i} q_s(y | x̂_i) over
              Σ_j q_s(y | x̂_j), token by token    (LiDAR, arXiv 2602.03211, equation 54)

The last is the paper's. Its h does not look at x_t, and so not at a string's other tokens: it does
not reach the tilted target however many samples there are. The other two do.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.efr.lookahead import Lookahead
from methods.interfaces import Level
from methods.kernel import kept, mean_behind, transition
from methods.settings import at_least, interval, one_of
from methods.state import Step

RULES = ("token", "additive", "ratio")
FLOOR = 1e-4  # added to both sides of a ratio of probabilities, against 0/0


def ratio_rule(x0: Tensor, tilted: Tensor, plain: Tensor, scale: float) -> Tensor:
    """p · (P^r/P)^s, normalised; all (B, L, K)."""
    weighed = x0 * ((tilted + FLOOR) / (plain + FLOOR)).clamp(min=0) ** scale
    return weighed / weighed.sum(dim=-1, keepdim=True)


def token_rule(
    x: Tensor,
    x0: Tensor,
    tilted: Tensor,
    plain: Tensor,
    start: Level,
    end: Level,
    scale: float,
) -> Tensor:
    """The x̄_0 (B, L, K) whose transition is p(x_s | x_t) · h(x_s)^s, normalised.

    ``tilted``, ``plain`` (L, K): the samples' letters, weighed by e^{λ r} and alike.
    """
    h = (kept(tilted, end.alpha) + FLOOR) / (kept(plain, end.alpha) + FLOOR)
    moved = transition(x, x0, start, end) * h**scale
    return mean_behind(moved / moved.sum(dim=-1, keepdim=True), x, start, end)


def letters(estimate: Lookahead) -> tuple[Tensor, Tensor]:
    """How the samples' letters are distributed place by place, tilted by e^{λ r} and plain."""
    weights = torch.softmax(estimate.scale * estimate.rewards, dim=0).to(estimate.samples)
    return torch.einsum("n,nlk->lk", weights, estimate.samples), estimate.samples.mean(dim=0)


@dataclass(frozen=True)
class TokenGuidance(Steer):
    """``rule`` token, additive or ratio; guidance scale s = ``scale`` >= 0; ``interval`` (low,
    high] of t/T within [0, 1].

    Per active step and particle: one shift of the estimator; nothing beyond the lookahead's calls.
    """

    spoils = frozenset({"density"})
    rule: str = "ratio"
    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)
    efr: str | None = None

    def __post_init__(self) -> None:
        one_of("rule", self.rule, RULES)
        at_least("scale", self.scale, 0)
        interval("interval", self.interval)

    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"tokens", "samples"})

    def shift(self, step: Step, memory: Memory) -> Tensor:
        estimate, level = step.ready(self.efr).estimate, step.level
        if self.rule == "token":
            levels = [*step.solver.levels, step.solver.end]
            end = levels[step.index + 1]
            tilted, plain = letters(estimate)
            guided = token_rule(step.x, step.x0, tilted, plain, level, end, self.scale)
            return guided - step.x0
        shift = step.shift(self.efr)
        if self.rule == "additive":
            return self.scale * shift
        plain = estimate.posterior_mean(step.x, level.alpha, level.sigma)
        return ratio_rule(step.x0, plain + shift, plain, self.scale) - step.x0
