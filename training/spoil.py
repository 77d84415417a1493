"""Images that are worse than drawn, and by how much: faint, cut, blurred, blended, round-tripped.

Guidance scores blurred blends of several scenes, not drawings; a reward that has seen only
drawings says nothing there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.store.images import from_bytes
from training.scenes import SIZE, Placed

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

HARMLESS_BLUR = 1.0  # pixels; below it a scene is as good as sharp
BLUR_COST = 0.25  # mistakes a pixel of blur above it


def fade(image: np.ndarray, thing: Placed, visible: float) -> np.ndarray:
    """``image`` (64, 64, 3) with one object mixed into the background."""
    out = image.astype(np.float32)
    ground = np.median(out.reshape(-1, 3), axis=0)
    x0, y0, x1, y1 = thing.box
    out[y0:y1, x0:x1] = ground + visible * (out[y0:y1, x0:x1] - ground)
    return out.round().astype(np.uint8)


def cut(image: np.ndarray, thing: Placed, visible: float, side: int) -> np.ndarray:
    """``image`` with part of an object erased from one side (0 left, 1 right, 2 top, 3 bottom)."""
    out = image.copy()
    ground = np.median(out.reshape(-1, 3), axis=0)
    x0, y0, x1, y1 = thing.box
    dx, dy = round((1 - visible) * (x1 - x0)), round((1 - visible) * (y1 - y0))
    gone = (
        (x0, y0, x0 + dx, y1),
        (x1 - dx, y0, x1, y1),
        (x0, y0, x1, y0 + dy),
        (x0, y1 - dy, x1, y1),
    )
    x0, y0, x1, y1 = gone[side]
    out[y0:y1, x0:x1] = ground
    return out


def blur_cost(sigma: float) -> float:
    """Mistakes that a blur of ``sigma`` pixels counts as."""
    return BLUR_COST * max(0.0, sigma - HARMLESS_BLUR)


def blur(images: Tensor, sigmas: Tensor) -> Tensor:
    """Gaussian blur of images (B, 3, 64, 64), each by its own ``sigmas`` (B,) in pixels
    (up to 0.1: none)."""
    some = sigmas > 0.1
    line = torch.arange(SIZE, dtype=torch.float32)
    distance = (line[:, None] - line).square()
    kernel = torch.exp(-distance / (2 * sigmas[some, None, None].square()))
    kernel = (kernel / kernel.sum(-1, keepdim=True))[:, None]
    out = images.clone()
    out[some] = kernel @ images[some] @ kernel.transpose(-1, -2)
    return out


@torch.no_grad()
def round_trip(
    vae: AutoencoderKL, images: Tensor, noise: float | Tensor, generator: torch.Generator
) -> Tensor:
    """Images (B, 3, 64, 64) in [0, 1] through the autoencoder, with Gaussian noise on the latents.

    ``noise`` is in units of the latents' standard deviation, a number or (B, 1, 1, 1).
    """
    with torch.autocast("cpu", torch.bfloat16):
        latents = vae.encode(images * 2 - 1).latent_dist.mode().float()
        drawn = torch.randn(latents.shape, generator=generator)
        back = vae.decode(latents + noise * latents.std() * drawn).sample
    return (back.float() / 2 + 0.5).clamp(0, 1)


@lru_cache(maxsize=1)
def load_vae(folder: Path) -> AutoencoderKL:
    """The trained autoencoder, frozen. Raises FileNotFoundError where its stage has not run."""
    from diffusers import AutoencoderKL

    if not (folder / "config.json").is_file():
        raise FileNotFoundError(f"no autoencoder at {folder}: train the vae stage first")
    return AutoencoderKL.from_pretrained(folder).eval().requires_grad_(False)


def to_unit(images: Sequence[np.ndarray]) -> Tensor:
    """uint8 (H, W, 3) each -> float32 (B, 3, H, W) in [0, 1]."""
    return from_bytes(np.stack(images))
