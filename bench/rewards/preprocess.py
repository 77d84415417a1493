"""Pictures as CLIP's and BLIP's image towers take them, differentiable in the picture.

The published models see eight-bit pictures resized by PIL: shorter side to the tower's size
(bicubic, antialiased, across and then down), center crop, CLIP's mean and standard deviation. Here
the same runs on floats, clamped to [0, 1] after each pass as eight bits are. What is left of an
eight-bit picture is the rounding after each pass, at most 0.017 in normalized units.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def check_images(images: Tensor) -> Tensor:
    """``images`` in float32. Raises ValueError unless floating point and (B, 3, H, W)."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be (B, 3, H, W), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"images must be floating point in [0, 1], got {images.dtype}")
    return images.float()


def resize(images: Tensor, size: int) -> Tensor:
    """Shorter side to ``size``, then the central (B, 3, size, size), within [0, 1]."""
    height, width = images.shape[-2:]
    short = min(height, width)
    tall, wide = size * height // short, size * width // short
    images = images.clamp(0, 1)
    for shape in ((height, wide), (tall, wide)):
        if images.shape[-2:] != shape:
            passed = F.interpolate(
                images, shape, mode="bicubic", align_corners=False, antialias=True
            )
            images = passed.clamp(0, 1)
    top, left = (round((side - size) / 2) for side in (tall, wide))
    return images[..., top : top + size, left : left + size]


def prepare(images: Tensor, size: int) -> Tensor:
    """(B, 3, H, W) in [0, 1], any float type -> normalized float32 (B, 3, size, size)."""
    resized = resize(check_images(images), size)
    mean, std = (channels(values, images.device) for values in (MEAN, STD))
    return (resized - mean) / std


@cache
def channels(values: tuple[float, ...], device: torch.device) -> Tensor:
    """One number a channel, (3, 1, 1); made once, for copying it there holds up the host."""
    return torch.tensor(values, device=device).view(3, 1, 1)
