"""Derivatives through networks in half precision, without losing what is small.

A reward's derivative by a latent is about 1e-5 and smaller, where half precision has few bits left
or none, which would put gradient methods at a disadvantage. So the total is scaled up by a power of
two on its way back, which is exact, and down in the end (loss scaling, Micikevicius et al., arXiv
1710.03740, section 3.2).
"""

from __future__ import annotations

import torch
from torch import Tensor

SCALE = 2.0**10


def derivative(total: Tensor, by: Tensor, retain: bool = False) -> Tensor:
    """∂total/∂by, like ``by``, which should be float32; ``total`` a number that depends on it.

    ``retain``: the graph serves again.
    """
    (slope,) = torch.autograd.grad(SCALE * total, by, retain_graph=retain)
    return slope / SCALE


def lengths(x: Tensor) -> Tensor:
    """‖x‖ of each sample, shaped to multiply x (B, …)."""
    return x.flatten(1).norm(dim=1).reshape(-1, *[1] * (x.ndim - 1))
