"""JPEG compressibility: minus the size in kB at quality 95 (Black et al., arXiv 2305.13301).

This reward has no derivative, so only methods without gradients can be guided by it. It does not
look at the prompt, so a gain in it says nothing about faithfulness.
"""

from __future__ import annotations

from io import BytesIO

import torch
from torch import Tensor

from bench.rewards.pretrained import Weighted
from bench.store.images import to_pil

QUALITY = 95


class JpegCompressibility(Weighted):
    name = "jpeg"
    differentiable = False
    _digest = f"jpeg-{QUALITY}"

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B,), minus kilobytes."""
        sizes = []
        for image in to_pil(images):
            buffer = BytesIO()
            image.save(buffer, format="JPEG", quality=QUALITY)
            sizes.append(-buffer.tell() / 1000)
        return torch.tensor(sizes, device=images.device)
