"""APG: adaptive projected guidance (Sadat et al., arXiv 2410.02416, algorithm 1).

In the place of classifier-free guidance. With x̄_0(c) and x̄_0(∅) the posterior means with the
prompt and without it, and w the guidance weight,

    Δ ← x̄_0(c) − x̄_0(∅) + β Δ_previous;    Δ′ = Δ · min(1, r/‖Δ‖)
    x̄_0 = x̄_0(c) + (w − 1) (Δ′_⊥ + η Δ′_∥),

Δ′_∥ the part of Δ′ along x̄_0(c), which oversaturates. It works on
posterior means, as its author advises, where diffusers' guider takes the model's output.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.gradients import lengths
from methods.interfaces import Condition, Level
from methods.sample import Run
from methods.settings import at_least
from methods.state import Step


def projected(update: Tensor, along: Tensor, eta: float) -> Tensor:
    """``update`` (B, …) with its part along ``along`` times η, in double precision."""
    whole, direction = update.double(), along.double()
    direction = direction / lengths(direction).clamp(min=1e-12)
    share = (whole * direction).flatten(1).sum(dim=1).reshape(-1, *[1] * (update.ndim - 1))
    return (whole - (1 - eta) * share * direction).to(update.dtype)


@dataclass(frozen=True)
class Projecting:
    """The guider of some particles: ``last`` (B, …) is their Δ of the step before, and ``now`` is
    filled with this step's."""

    steer: Apg
    last: Tensor
    now: Tensor
    perturbed = False

    def rows(self, part: slice) -> Projecting:
        return replace(self, last=self.last[part], now=self.now[part])

    def __call__(
        self,
        x: Tensor,
        level: Level,
        weight: float,
        conditional: Tensor,
        unconditional: Tensor,
        perturbed: Tensor | None,
    ) -> Tensor:
        update = conditional - unconditional + self.steer.momentum * self.last
        self.now.copy_(update.detach())
        if self.steer.rescale > 0:
            update = update * (self.steer.rescale / lengths(update).clamp(min=1e-12)).clamp(max=1.0)
        weight = weight if self.steer.weight is None else self.steer.weight
        return conditional + (weight - 1) * projected(update, conditional, self.steer.eta)


@dataclass(frozen=True)
class Apg(Steer):
    """``eta`` η in [0, 1], ``rescale`` r >= 0 in latent units (0: no bound) and ``momentum`` β in
    (−1, 1), by default the paper's for SDXL; ``weight`` w >= 1, null for the model's own.

    η = 1, r = 0 and β = 0 are classifier-free guidance. Calls as vanilla's.
    """

    requires = frozenset({"guided", "condition"})
    spoils = frozenset({"condition", "ahead"})
    eta: float = 0.0
    rescale: float = 15.0
    momentum: float = -0.5
    weight: float | None = None

    def __post_init__(self) -> None:
        at_least("eta", self.eta, 0)
        at_least("rescale", self.rescale, 0)
        at_least("momentum", self.momentum, -1)
        if self.eta > 1:
            raise ValueError(f"eta must be in [0, 1], got {self.eta}")
        if abs(self.momentum) >= 1:
            raise ValueError(f"momentum must be in (-1, 1), got {self.momentum}")
        if self.weight is not None:
            at_least("weight", self.weight, 1)

    def begin(self, run: Run) -> Memory:
        backbone = run.problem.backbone
        return {
            "update": torch.zeros(run.particles, *backbone.latent_shape, device=backbone.device)
        }

    def condition(self, step: Step, memory: Memory) -> Condition:
        last, now = memory["update"], torch.zeros_like(memory["update"])
        memory["update"] = now
        return step.guided(Projecting(self, last, now))
