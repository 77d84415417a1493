"""The weights of Feynman-Kac steering (arXiv 2501.06848), as pure functions."""

from __future__ import annotations

import torch
from torch import Tensor

POTENTIALS = ("difference", "max", "sum", "plain")


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
