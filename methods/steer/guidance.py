"""Guidance: x̄_0 ← x̄_0 + s · shift, while t/T lies in (low, high].

With lookahead this is LiDAR (arXiv 2602.03211, algorithm 1); with Tweedie, forward universal
guidance (arXiv 2302.07121): ε ← ε − σ λ ∇r(x̄_0); with rollout, rollout guidance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.gradients import lengths
from methods.path import slope_of_shift, tempering
from methods.settings import at_least, interval, one_of
from methods.state import Step

RELATIVE = ("velocity", "noise", "gradient")


def relative_length(step: Step, to: str) -> Tensor:
    """The length of a shift of x̄_0 that moves the model's prediction by its own norm, or of the
    shift by a gradient of norm 1.

    A shift Δ moves flow matching's velocity u = (x_t − x̄_0)/σ by Δ/σ, and the noise prediction
    ε̂ = (x_t − α x̄_0)/σ by α Δ/σ. No shift of x̄_0 moves ε̂ where x_t is all noise: 0 there.
    """
    alpha = step.level.alpha
    if to == "gradient":
        return step.x.new_tensor(slope_of_shift(step.level))
    if to == "velocity":
        return lengths(step.x - step.x0)
    return lengths(step.x - alpha * step.x0) / alpha if alpha > 1e-3 else step.x.new_zeros(())


@dataclass(frozen=True)
class Guidance(Steer):
    """Guidance scale s = ``scale`` >= 0; ``interval`` (low, high] of t/T within [0, 1].

    ``tempering`` γ >= 0 lets s grow along the schedule as DAS does (``methods.path.tempering``);
    ``last`` false does not guide the last step: it adds no noise, so that a guided proposal has no
    density there and cannot be weighed.

    Raw gradients have no natural length, and turn flow models' images into dots. ``relative``
    "velocity" or "noise": only the shift's direction is used; its length changes the model's
    velocity or noise prediction by s times that prediction's norm (the velocity's: FMRG, arXiv
    2604.27147). "gradient": ∇V is given the norm s, and the shift is σ²/α times it, with σ/α at
    most 20 (FMTT and weighted diamond maps in github.com/PeterHolderrieth/diamond_maps, whose norms
    are 10 to 20 on FLUX.1). ``clip``: the largest root mean square of a shift, in latent units.

    Per active step and particle: one shift of the estimator.
    """

    scale: float = 1.0
    interval: tuple[float, float] = (0.0, 1.0)
    tempering: float = 0.0
    last: bool = True
    relative: str | None = None
    clip: float | None = None
    efr: str | None = None

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        interval("interval", self.interval)
        at_least("tempering", self.tempering, 0)
        if self.relative is not None:
            one_of("relative", self.relative, RELATIVE)
        if self.clip is not None:
            at_least("clip", self.clip, 0)

    @property
    def requires(self) -> frozenset[str]:
        own = {"continuous"} if self.relative is not None or self.clip is not None else set()
        return frozenset({"shift" if self.scale > 0 else "value", *own})

    @property
    def spoils(self) -> frozenset[str]:
        return frozenset({"density"} if self.last else ())

    def shift(self, step: Step, memory: Memory) -> Tensor | None:
        if not self.last and step.index == step.steps - 1:
            return None
        scale = self.scale * tempering(self.tempering, step.level)
        shift = step.shift(self.efr)
        if self.relative is not None:
            norm = lengths(shift)
            # What is not finite passes on, for the end of the loop to see.
            direction = torch.where(norm == 0, 0.0, shift / norm)
            shift = direction * relative_length(step, self.relative).to(shift)
        shift = scale * shift
        if self.clip is not None:
            largest = self.clip * shift[0].numel() ** 0.5
            shift = shift * (largest / lengths(shift).clamp(min=1e-12)).clamp(max=1.0)
        return shift
