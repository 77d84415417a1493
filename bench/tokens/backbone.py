"""Strings of tokens as a Backbone: a finite table of them, whose posterior is exact.

Latents are one-hot (B, L, K); what is delivered are token ids (B, L). There is no classifier-free
guidance, and no embedding to move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from methods.interfaces import CLEAN, Level
from methods.kernel import UniformTokens, token_level
from methods.settings import one_of
from methods.table import Table


class TokenSolver:
    """One trajectory of ``steps`` ancestral steps, at times evenly spaced from 1 to clean."""

    stochastic = True

    def __init__(self, steps: int, letters: int):
        self.levels: Sequence[Level] = [token_level(1 - k / steps, letters) for k in range(steps)]
        self.end = CLEAN

    def initial(self, noise: Tensor) -> Tensor:
        """Letters drawn uniformly: the place of the largest of K normal numbers."""
        return one_hot(noise.argmax(dim=-1), noise.shape[-1]).to(noise.dtype)

    def step(self, x0: Tensor, index: int, x: Tensor, noise: Tensor | None) -> Tensor:
        start, end = ([*self.levels, self.end])[index : index + 2]
        return UniformTokens().step(x, x0, start, end, noise)

    def transition(self, index: int) -> tuple[float, float]:
        raise ValueError("a step on tokens has no slope and no standard deviation")

    def restart(self) -> None:
        """It has no history."""

    def select(self, ancestors: Tensor) -> None:
        """It has no history."""


@dataclass(frozen=True)
class TableCondition:
    """The prior p(x_0 | c)."""

    prior: Table
    evaluations: int = 1


class TokenBackbone:
    """What every prior over strings shares: L = ``length`` tokens of K = ``letters``."""

    kernel = UniformTokens()

    def __init__(self, length: int, letters: int, device: torch.device | str = "cpu"):
        self.latent_shape: tuple[int, ...] = (length, letters)
        self.device = torch.device(device)

    def under(self, solver: str) -> Self:
        return self

    def unconditional(self, x: Tensor, level: Level, condition: Any) -> None:
        return None

    def decode(self, x0: Tensor) -> Tensor:
        """The likeliest letters, (B, L)."""
        return x0.argmax(dim=-1)

    def solver(self, name: str, steps: int) -> TokenSolver:
        one_of("solver", name, ["ancestral"])
        return TokenSolver(steps, self.latent_shape[-1])

    def level(self, fraction: float) -> Level:
        return token_level(fraction, self.latent_shape[-1])


class TableBackbone(TokenBackbone):
    """A table of strings, whatever the prompt."""

    def __init__(self, table: Table):
        _, length, letters = table.points.shape
        super().__init__(length, letters, table.points.device)
        self.table = table

    def encode(self, prompt: str, guidance: float | None = None, known: Any = None) -> Any:
        if guidance is not None:
            raise ValueError("strings have no classifier-free guidance: cfg must be null")
        return TableCondition(self.table)

    def posterior_mean(self, x: Tensor, level: Level, condition: Any) -> Tensor:
        mean: Tensor = condition.prior.posterior(x, level.alpha, level.sigma).mean()
        return mean
