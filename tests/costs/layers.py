"""Floating-point operations by a formula for each layer, from the shapes that pass through it."""

from collections import Counter
from math import prod

import torch


def by_layers(call, module, monkeypatch):
    """Of ``call``, which uses ``module``: linear layers, convolutions, fused attention."""
    found = Counter()

    def linear(layer, given, made):
        rows = prod(made.shape[:-1])
        found["linear"] += 2 * rows * layer.in_features * layer.out_features

    def convolution(layer, given, made):
        taps = prod(layer.kernel_size) * layer.in_channels // layer.groups
        found["convolution"] += 2 * prod(made.shape) * taps

    fused = torch.nn.functional.scaled_dot_product_attention

    def attention(query, key, value, *args, **kwargs):
        batch, heads, rows, width = query.shape
        # The scores, and their product with the values.
        found["attention"] += 2 * batch * heads * rows * key.shape[2] * (width + value.shape[3])
        return fused(query, key, value, *args, **kwargs)

    for layer in module.modules():
        if isinstance(layer, torch.nn.Linear):
            layer.register_forward_hook(linear)
        elif isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(convolution)
    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(torch.nn.functional, "scaled_dot_product_attention", attention)
        call()
    return found
