"""Sampling Demon (Yeh et al., arXiv 2410.05760): noise composed of several, by what each leads to.

At every step the solver's noise is replaced by

    z = √d · S/‖S‖,   S = Σ_k b_k z_k,   b_k = tanh((V_k − V̄)/τ)   or   b = softmax(V/τ),

where V_k is the value where the solver steps to with z_k, V̄ the mean of the K, and d how many
numbers a latent has. So z has a typical draw's norm and points towards what is worth more, away
from what is worth less. No derivative is needed. What is sampled is no known tilted distribution:
the more noises, the higher the reward.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.settings import interval, one_of, whole, within
from methods.state import Step

WEIGHTINGS = ("tanh", "boltzmann")


def composed(noises: Tensor, values: Tensor, weighting: str, adaptive: bool) -> Tensor:
    """One noise (B, …) out of ``noises`` (B, K, …), by their ``values`` (B, K).

    τ is the standard deviation of the K values, or 1 without ``adaptive``. Where the values are all
    alike, beyond rounding, the first noise is kept.
    """
    values = values.double()
    spread = values.std(dim=1, keepdim=True)
    told = spread > 1e-9 * (1 + values.abs().amax(dim=1, keepdim=True))
    tau = torch.where(told, spread, 1.0) if adaptive else torch.ones_like(spread)
    if weighting == "tanh":
        weights = torch.tanh((values - values.mean(dim=1, keepdim=True)) / tau)
    else:
        weights = torch.softmax(values / tau, dim=1)
    flat = noises.flatten(2)
    total = torch.einsum("bk,bkd->bd", weights.to(flat), flat)
    unit = total / total.norm(dim=1, keepdim=True).clamp(min=1e-30)
    return torch.where(told, flat.shape[2] ** 0.5 * unit, flat[:, 0]).reshape(noises[:, 0].shape)


@dataclass(frozen=True)
class Demon(Steer):
    """``n`` K >= 1 noises at each step while t/T lies in ``interval``, the solver's own among them.

    ``weighting``: "tanh" or "boltzmann"; ``adaptive``: τ is the standard deviation of the K values,
    as in the official code; else it is 1, and λ alone says how sharply b tells the values apart.
    The last step is left alone: its noise, if it has any, stays in the image. Per step and particle
    K values at the next level, with an estimator that looks at the posterior mean as many
    posterior means.
    """

    requires = frozenset({"value", "stochastic", "selection", "continuous", "ahead"})
    spoils = frozenset({"selection", "density"})
    n: int = 16
    weighting: str = "tanh"
    adaptive: bool = True
    interval: tuple[float, float] = (0.0, 1.0)
    efr: str | None = None

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        one_of("weighting", self.weighting, WEIGHTINGS)
        interval("interval", self.interval)

    def after(self, step: Step, memory: Memory) -> Step | None:
        last = step.index == step.steps - 1
        if step.noise is None or self.n == 1 or last or not within(self.interval, step.level):
            return None
        further = step.normal((self.n - 1, *step.x.shape[1:]), "demon").to(step.noise)
        noises = torch.cat([step.noise.unsqueeze(1), further], dim=1)
        values = step.ahead(noises.flatten(0, 1)).value(self.efr).detach()
        values = values.reshape(len(step.x), self.n)
        return step.ahead(composed(noises, values, self.weighting, self.adaptive))
