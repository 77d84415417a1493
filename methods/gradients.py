"""Derivatives through networks in half precision, without losing what is small.

A reward's derivative by a latent is about 1e-5 and smaller, where half precision has few bits left
or none: who differentiates would be handicapped by the type that others profit from. So
the total is scaled up by a power of two on its way back, which is exact, and down in the end (loss
scaling, Micikevicius et al., arXiv 1710.03740, section 3.2).
"""

from __future__ import annotations

import torch
from torch import Tensor

SCALE = 2.0**10


def derivative(total: Tensor, by: Tensor) -> Tensor:
    """∂total/∂by, like ``by``, which should be float32; ``total`` a number that depends on it."""
    (slope,) = torch.autograd.grad(SCALE * total, by)
    return slope / SCALE
