"""What a method delivers, between tensors, arrays on the host, and files.

Pictures are tensors in [0, 1], eight bits on the host, and PNG files; the mixture's points are
float64 and one NPY file a prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from PIL.Image import Image


def to_bytes(images: Tensor) -> np.ndarray:
    """(B, 3, H, W) in [0, 1] -> (B, H, W, 3) uint8 on the host."""
    scaled = (images.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).cpu().numpy()


def from_bytes(pixels: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 -> (B, 3, H, W) float32 in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255


def to_host(images: Tensor) -> np.ndarray:
    """Pictures (B, 3, H, W) as ``to_bytes``, points (B, D) as they are."""
    return to_bytes(images) if images.ndim == 4 else images.detach().cpu().numpy()


def from_host(delivered: np.ndarray) -> Tensor:
    """``to_host`` undone, but for eight bits' rounding."""
    return from_bytes(delivered) if delivered.ndim == 4 else torch.from_numpy(delivered)


def write(folder: Path, delivered: np.ndarray) -> list[str]:
    """Save below ``folder``: samples/0000.png …, or samples.npy; the names."""
    from PIL import Image

    if delivered.dtype == np.uint8 and delivered.ndim == 2:
        from bench.molecules.text import from_codes

        lines = "\n".join(from_codes(torch.from_numpy(delivered)))
        (folder / "samples.txt").write_text(lines + "\n", encoding="ascii")
        return ["samples.txt"]
    if delivered.ndim != 4:
        np.save(folder / "samples.npy", delivered)
        return ["samples.npy"]
    (folder / "samples").mkdir(exist_ok=True)
    names = [f"samples/{number:04d}.png" for number in range(len(delivered))]
    for name, pixels in zip(names, delivered, strict=True):
        Image.fromarray(pixels).save(folder / name)
    return names


def to_pil(images: Tensor) -> list[Image]:
    from PIL import Image

    return [Image.fromarray(pixels) for pixels in to_bytes(images)]


def read(paths: Sequence[Path]) -> np.ndarray:
    """PNG files -> (B, H, W, 3) uint8."""
    from PIL import Image

    return np.stack([np.asarray(Image.open(p).convert("RGB")) for p in paths])
