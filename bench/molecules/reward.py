"""Rewards of molecules: their number of rings, or how drug-like they are (QED). Invalid strings: 0.

They score character codes (B, W), not pictures, and tell every table string's value to the exact
estimator.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.molecules.known import Known
from bench.molecules.text import from_codes
from methods.table import Table


class MoleculeReward:
    """``form`` names a property of molecules: "rings", "qed"; ``known`` says what a string is."""

    differentiable = False

    def __init__(self, form: str, known: Known):
        self.name = self.form = form
        self.known = known

    def closed_form(self, prompt: str, prior: Table) -> Tensor:
        """The rewards (N,) of the table's strings, in the table's order."""
        return torch.from_numpy(self.known.values(self.form)).to(prior.points)

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """Codes (B, W) -> (B,)."""
        if images.dtype != torch.uint8 or images.ndim != 2:
            raise ValueError(
                f"reward {self.name} scores strings as character codes (B, W), got "
                f"{images.dtype} of shape {tuple(images.shape)}"
            )
        found = self.known.describe(from_codes(images))
        values = [0.0 if one is None else getattr(one, self.form) for one in found]
        return torch.tensor(values, dtype=torch.float32, device=images.device)

    def digest(self) -> str:
        return f"{self.form}-{self.known.digest}"

    def cut(self, prompt: str) -> int:
        return 0
