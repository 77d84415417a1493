"""A UNet made worse, for perturbed-attention guidance (Ahn et al., arXiv 2403.17377)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def perturbed(unet: Any) -> Iterator[None]:
    """Of a batch of three equal parts let the self-attention of the UNet's middle block pass the
    third part's values through as they are: every point attends to itself alone.

    The layers and the processor are those of diffusers' own pipelines for it.
    """
    from diffusers.models.attention_processor import (
        Attention,
        PAGCFGIdentitySelfAttnProcessor2_0,
    )

    middle = getattr(unet, "mid_block", None)
    modules = [] if middle is None else list(middle.modules())
    layers = [m for m in modules if isinstance(m, Attention) and not m.is_cross_attention]
    if not layers:
        raise ValueError("pag needs self-attention in the UNet's middle block: this model has none")
    kept = [layer.processor for layer in layers]
    for layer in layers:
        layer.processor = PAGCFGIdentitySelfAttnProcessor2_0()
    try:
        yield
    finally:
        for layer, processor in zip(layers, kept, strict=True):
            layer.processor = processor
