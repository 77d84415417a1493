"""PAG: perturbed-attention guidance (Ahn et al., arXiv 2403.17377) with classifier-free guidance.

    x̄_0 = x̄_0(∅) + w (x̄_0(c) − x̄_0(∅)) + s (x̄_0(c) − x̄_0′(c)),

x̄_0′ the model with the self-attention of its middle block replaced by the identity, as in
diffusers' own pipelines: guidance away from the structures that it then gets wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from methods.base import Memory, Steer
from methods.interfaces import Condition, Level
from methods.settings import at_least
from methods.state import Step


@dataclass(frozen=True)
class Perturbing:
    """The guider; ``weight`` None is the model's own."""

    scale: float
    weight: float | None
    perturbed = True

    def rows(self, part: slice) -> Perturbing:
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
        assert perturbed is not None
        weight = weight if self.weight is None else self.weight
        guided = unconditional + weight * (conditional - unconditional)
        return guided + self.scale * (conditional - perturbed)


@dataclass(frozen=True)
class Pag(Steer):
    """``scale`` s >= 0; ``weight`` w >= 1, null for the model's own guidance weight.

    Each posterior mean costs three evaluations in the place of two. At s = 0 it is vanilla
    to rounding.
    """

    requires = frozenset({"guided", "condition"})
    spoils = frozenset({"condition", "ahead"})
    scale: float = 3.0
    weight: float | None = None

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        if self.weight is not None:
            at_least("weight", self.weight, 1)

    def condition(self, step: Step, memory: Memory) -> Condition:
        return step.guided(Perturbing(self.scale, self.weight))
