"""Log weights of Feynman-Kac steering (arXiv 2501.06848), log probabilities: pure functions."""

from __future__ import annotations

from math import log

import torch
from torch import Tensor

POTENTIALS = ("difference", "max", "sum", "plain")


def log_mean_exp(values: Tensor) -> Tensor:
    """log mean_i exp(v_i) along the last axis: (B, n) -> (B,)."""
    return values.logsumexp(dim=-1) - log(values.shape[-1])


def log_weights(
    rewards: Tensor,
    previous: Tensor,
    product: Tensor,
    potential: str,
    scale: float,
    final: bool,
) -> tuple[Tensor, Tensor]:
    """(log G, new ``previous``), each (B,), of one weighing.

    ``previous`` is the potential's memory, the last, largest or summed λ·reward: 0 at first, −∞ for
    "max"; ``product`` is the log product of the potentials so far, 0 at first.
    """
    value = scale * rewards
    if final:
        return value - product, value
    if potential == "difference":
        return value - previous, value
    if potential == "sum":
        memory = previous + value
    elif potential == "max":
        memory = torch.maximum(previous, value)
    else:
        memory = value
    return memory, memory


def proposal_correction(shift: Tensor, noise: Tensor, slope: float, std: float) -> Tensor:
    """log p(x_s | x_t) − log q(x_s | x_t), (B,), of a step that a shift of x̄_0 moved.

    q's mean is p's moved by m = ``slope``·shift; x_s = q's mean + ``std``·noise.
    """
    m = slope * shift.flatten(1).double()
    z = noise.flatten(1).double()
    return -(z * m).sum(dim=1) / std - m.square().sum(dim=1) / (2 * std**2)


def log_probability(z: Tensor, k: int) -> Tensor:
    """How likely noise z (B, d) is by its mean and covariance, (B,): DNO's regulariser.

    log p_1 + log p_2 of ``methods.steer.dno``, cut into ⌊d/k⌋ vectors of k numbers.
    """
    m = z.shape[1] // k
    vectors = z[:, : m * k].reshape(len(z), m, k)
    mean = vectors.mean(dim=1).square().sum(dim=1)
    gap = vectors.transpose(1, 2) @ vectors / m - torch.eye(k).to(z)
    spread = (1 + torch.linalg.matrix_norm(gap, ord=2)).sqrt() - 1 - (k / m) ** 0.5
    ways = torch.stack([-m * mean / (2 * k), -m * spread.clamp(min=0).square() / 2])
    return ways.clamp(max=-log(2)).sum(dim=0)
