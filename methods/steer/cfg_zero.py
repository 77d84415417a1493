"""CFG-Zero*: classifier-free guidance for flow matching (arXiv 2503.18886).

With v_c and v_∅ the velocities with the prompt and without it, and w the guidance weight,

    v = s v_∅ + w (v_c − s v_∅),    s = ⟨v_c, v_∅⟩ / ‖v_∅‖²,

and no velocity at all in the first steps, whose error a model that is not fully trained makes
larger by having one.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.base import Memory, Steer
from methods.interfaces import Condition, Level
from methods.settings import at_least, whole
from methods.state import Step


@dataclass(frozen=True)
class ZeroStar:
    """The guider of a step; ``still``: without a velocity. ``weight`` None is the model's own."""

    still: bool
    weight: float | None
    perturbed = False

    def rows(self, part: slice) -> ZeroStar:
        return self

    def __call__(
        self,
        x: Tensor,
        level: Level,
        weight: float,
        conditional: Tensor,
        unconditional: Tensor,
        perturbed: Tensor | None,
    ) -> Tensor:
        norm = level.alpha + level.sigma  # 1 on the model's own path
        if self.still:
            return x / norm
        weight = weight if self.weight is None else self.weight
        # The velocities times σ.
        prompted, empty = x - norm * conditional, x - norm * unconditional
        scale = (prompted * empty).flatten(1).sum(dim=1) / empty.flatten(1).square().sum(dim=1)
        empty = scale.reshape(-1, *[1] * (x.ndim - 1)) * empty
        return (x - (empty + weight * (prompted - empty))) / norm


@dataclass(frozen=True)
class CfgZero(Steer):
    """``zero_init`` >= 0 steps without a velocity; ``weight`` w >= 1, null for the model's own.

    Calls as vanilla's: the steps without a velocity are computed too, as in diffusers.
    """

    requires = frozenset({"guided", "flow", "condition"})
    spoils = frozenset({"condition", "ahead"})
    zero_init: int = 1
    weight: float | None = None

    def __post_init__(self) -> None:
        whole("zero_init", self.zero_init, 0)
        if self.weight is not None:
            at_least("weight", self.weight, 1)

    def condition(self, step: Step, memory: Memory) -> Condition:
        return step.guided(ZeroStar(step.index < self.zero_init, self.weight))
