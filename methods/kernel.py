"""What depends on the kind of noise: Gaussian noise on latents, or letters drawn anew in a string.

Both kernels tell how likely a clean sample is behind x_t by one formula, up to a constant:

    log q(x_t | x_0) = −‖x_t − α x_0‖² / (2σ²) + const.

For a Gaussian path it is the definition. For strings, x (B, L, K) one-hot, each token is kept with
probability α and else replaced by one of K letters, all equally likely, so that every token of x_t
that matches x_0 adds g = log(1 + K α/(1 − α)); the formula holds where σ² stands for α/g
(``token_level``). So what is written with a level's α and σ is written for strings too, and the
posterior mean of a one-hot x_0 is its distribution, token by token.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from methods.interfaces import CLEAN, Level
from methods.path import ancestral_step, renoise


class Kernel(Protocol):
    """Random steps between two levels; ``noise`` is standard normal in the shape of x."""

    def step(
        self, x: Tensor, x0: Tensor, start: Level, end: Level, noise: Tensor | None, eta: float
    ) -> Tensor:
        """x_s given x_t and its posterior mean: the ancestral step, of stochasticity η."""

    def renoise(self, x: Tensor, low: Level, high: Level, noise: Tensor) -> Tensor:
        """From the level ``low`` up to ``high``."""


@dataclass(frozen=True)
class Gaussian:
    """x_t = α x_0 + σ ε."""

    def step(
        self, x: Tensor, x0: Tensor, start: Level, end: Level, noise: Tensor | None, eta: float
    ) -> Tensor:
        return ancestral_step(x, x0, start, end, noise, eta)

    def renoise(self, x: Tensor, low: Level, high: Level, noise: Tensor) -> Tensor:
        return renoise(x, low, high, noise)


GAUSSIAN = Gaussian()


@dataclass(frozen=True)
class UniformTokens:
    """A token is kept with probability α, else one of the letters takes its place (Austin et al.,
    arXiv 2107.03006; UDLM, arXiv 2412.10193). x is one-hot (B, L, K)."""

    def step(
        self, x: Tensor, x0: Tensor, start: Level, end: Level, noise: Tensor | None, eta: float = 1
    ) -> Tensor:
        """Letters drawn from ``transition``; a guided x̄_0 may leave the simplex, so what is
        negative there counts as 0. Raises ValueError without noise, or for another η than 1."""
        if noise is None or eta != 1:
            raise ValueError("tokens are drawn at random: there is no step without noise")
        return drawn(transition(x, x0, start, end).clamp(min=0), noise)

    def renoise(self, x: Tensor, low: Level, high: Level, noise: Tensor) -> Tensor:
        return drawn(kept(x, high.alpha / low.alpha), noise)


def token_level(t: float, letters: int) -> Level:
    """The level at time t in [0, 1], where a token is kept with probability α = 1 − t; σ² = α/g."""
    if t <= 0:
        return CLEAN
    alpha, square = 1 - t, 1 / letters
    if alpha > 0:
        square = alpha / log(1 + letters * alpha / t)
    return Level(t, alpha, square**0.5, t)


def kept(x: Tensor, share: float) -> Tensor:
    """The distribution of letters (…, K), or their weights, after each was kept with this
    probability."""
    return share * x + (1 - share) / x.shape[-1] * x.sum(dim=-1, keepdim=True)


def transition(x: Tensor, x0: Tensor, start: Level, end: Level) -> Tensor:
    """p(x_s | x_t) = Σ_a x̄_0[a] q(x_s | x_t, x_0 = a), (B, L, K), for each token.

    With q(x_s = y | x_t, a) = q(x_t | y) q_s(y | a) / q_t(x_t | a).
    """
    seen = x0 / kept(x, start.alpha)
    return kept(x, start.alpha / end.alpha) * kept(seen, end.alpha)


def mean_behind(transition: Tensor, x: Tensor, start: Level, end: Level) -> Tensor:
    """The x̄_0 that has this transition: ``transition`` undone. It may leave the simplex."""
    seen = transition / kept(x, start.alpha / end.alpha)
    spread = (1 - end.alpha) / x.shape[-1] * seen.sum(dim=-1, keepdim=True)
    return (seen - spread) / end.alpha * kept(x, start.alpha)


def drawn(weights: Tensor, noise: Tensor) -> Tensor:
    """One-hot letters in proportion to ``weights`` (B, L, K) >= 0, by standard normal noise.

    The largest of log w + Gumbel noise −log(−log Φ(z)), in double precision.
    """
    uniform = torch.special.ndtr(noise.double()).clamp(1e-15, 1 - 1e-15)
    letters = (weights.double().log() - (-uniform.log()).log()).argmax(dim=-1)
    return one_hot(letters, weights.shape[-1]).to(weights.dtype)
