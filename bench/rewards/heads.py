"""Linear heads on an embedding."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

HIDDEN = (1024, 128, 64, 16)


def five_linear(width: int) -> nn.Sequential:
    """Five linear layers ``width``-1024-128-64-16-1 without activations, numbered 0, 2, 4, 6, 7.

    ImageReward's head and LAION's improved aesthetic predictor share it. In training a dropout
    follows each of the first three; nothing is left of it here but the numbers.
    """
    layers = [nn.Linear(a, b) for a, b in pairwise((width, *HIDDEN, 1))]
    spaced = [part for layer in layers[:3] for part in (layer, nn.Identity())]
    return nn.Sequential(*spaced, *layers[3:])
