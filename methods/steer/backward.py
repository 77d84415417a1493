"""Backward universal guidance (arXiv 2302.07121, equations 7 to 9).

m gradient steps on the clean prediction itself, without a way back through the denoiser:

    Δ ← Δ + η λ ∇r(x̄_0 + Δ),  from Δ = 0;      x̄_0 ← x̄_0 + Δ.

Beside forward guidance (tweedie × guidance) it is the rest of universal guidance; the shifts add.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.gradients import derivative
from methods.settings import at_least, interval, whole
from methods.state import Step


@dataclass(frozen=True)
class Backward(Steer):
    """λ = ``scale`` >= 0, ``inner`` m >= 1 steps of ``rate`` η >= 0 (squared latent units per λr).

    ``interval`` (low, high] of t/T. Per active step and particle: m decodes and m rewards, forward
    and backward; the denoiser is not differentiated.
    """

    spoils = frozenset({"density"})
    scale: float = 1.0
    rate: float = 0.1
    inner: int = 1
    interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        at_least("rate", self.rate, 0)
        whole("inner", self.inner, 1)
        interval("interval", self.interval)

    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"derivative"} if self.scale > 0 else ())

    def shift(self, step: Step, memory: Memory) -> Tensor:
        mean = step.x0.detach()
        moved = torch.zeros_like(mean)
        for _ in range(self.inner):
            with torch.enable_grad():
                at = (mean + moved).requires_grad_()
                slope = derivative(step.problem.score(at).sum(), at)
            moved = moved + self.rate * self.scale * slope
        return moved
