"""The mixture's rewards: −½‖x − a‖² and b·x, their parameters drawn from the prompt.

They score points (B, D), not pictures, and tell their closed form to the exact estimator.
"""

from __future__ import annotations

from torch import Tensor

from bench.mixture.problems import reward
from methods.mixture import GaussianMixture, Quadratic


class MixtureReward:
    """``form`` is "quadratic" or "linear"."""

    differentiable = True

    def __init__(self, form: str):
        self.name = self.form = form

    def closed_form(self, prompt: str, prior: GaussianMixture) -> Quadratic:
        """The quadratic form in as many dimensions as the prior has."""
        return reward(self.form, prompt, prior.means.shape[-1])

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """Points (B, D) -> (B,)."""
        if images.ndim != 2:
            raise ValueError(
                f"reward {self.name} scores the mixture's points (B, D), got {tuple(images.shape)}"
            )
        return reward(self.form, prompt, images.shape[1])(images)

    def digest(self) -> str:
        return self.form

    def cut(self, prompt: str) -> int:
        return 0
