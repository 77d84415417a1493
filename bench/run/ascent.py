"""Following a score's gradient: what it promises, what it gives, and where it leads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Score = Callable[[Tensor], Tensor]  # latents (B, …) -> (B,)


class Gains(NamedTuple):
    """Of single steps of several sizes: the gain that the slope promises and the gain that comes,
    (S, B) each."""

    promised: Tensor
    actual: Tensor


def lengths(z: Tensor) -> Tensor:
    """The norms of latents (B, …), shaped to multiply them."""
    return z.flatten(1).norm(dim=1).view(-1, *[1] * (z.ndim - 1))


def uphill(score: Score, z: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B,) and their gradient (B, …) at z."""
    z = z.detach().requires_grad_()
    scores = score(z)
    (slope,) = torch.autograd.grad(scores.sum(), z)
    return scores.detach(), slope


def gains(score: Score, z: Tensor, sizes: Sequence[float]) -> Gains:
    """``sizes`` are in units of each latent's norm."""
    before, slope = uphill(score, z)
    reach, steepness = lengths(z), lengths(slope)
    way = reach * slope / steepness.clamp_min(1e-12)
    with torch.no_grad():
        actual = torch.stack([score(z + size * way) - before for size in sizes])
    promised = (reach * steepness).flatten()
    return Gains(torch.stack([size * promised for size in sizes]), actual)


def ascend(score: Score, z: Tensor, steps: int, size: float) -> Tensor:
    """Latents after ``steps`` steps along the normalised gradient, each of ``size`` times the norm
    that the latent began with."""
    reach = size * lengths(z)
    for _ in range(steps):
        slope = uphill(score, z)[1]
        z = z + reach * slope / lengths(slope).clamp_min(1e-12)
    return z
