"""Rewards of backbone=strings: "table" and "additive", their numbers drawn from the prompt.

They score token ids (B, L), not pictures, and tell every string's reward to the exact estimator.
"""

from __future__ import annotations

from torch import Tensor

from bench.tokens.problems import reward
from methods.table import Table


class StringsReward:
    """``form`` is "table" or "additive"."""

    differentiable = False

    def __init__(self, form: str):
        self.name = self.form = form

    def closed_form(self, prompt: str, prior: Table) -> Tensor:
        """The rewards (N,) of the prior's strings."""
        return reward(self.form, prompt, prior.points.argmax(dim=-1))

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """Token ids (B, L) -> (B,)."""
        if images.ndim != 2 or images.is_floating_point():
            raise ValueError(
                f"reward {self.name} scores token ids (B, L), got {tuple(images.shape)} of "
                f"{images.dtype}"
            )
        return reward(self.form, prompt, images)

    def digest(self) -> str:
        return self.form

    def cut(self, prompt: str) -> int:
        return 0
