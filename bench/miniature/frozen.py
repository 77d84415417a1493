"""Weights of the miniature's scorers on disk, and the check of what they are given."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent / "weights"
SIZE = 64


def export(module: nn.Module, path: Path) -> None:
    """Write a module's parameters and buffers as float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = module.state_dict()
    save_file({k: v.detach().to(torch.float16).contiguous() for k, v in state.items()}, path)
    path.chmod(0o644)


def load(module: nn.Module, path: Path) -> None:
    """Fill ``module`` from ``path`` in float32, frozen and in eval mode.

    Raises FileNotFoundError where the file is missing and ValueError where it does not fit;
    both name the file and the command that makes it anew.
    """
    remedy = f"restore it from the repository, or train it: python -m training {path.stem}"
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; {remedy}")
    try:
        state = {k: v.float() for k, v in load_file(path).items()}
        module.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        raise ValueError(f"the weights at {path} are damaged ({error}); {remedy}") from error
    module.eval().requires_grad_(False)


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_images(images: Tensor) -> Tensor:
    """``images`` in float32. Raises ValueError unless floating point and (B, 3, 64, 64)."""
    if images.ndim != 4 or images.shape[1:] != (3, SIZE, SIZE):
        raise ValueError(f"images must be (B, 3, {SIZE}, {SIZE}), got {tuple(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"images must be floating point in [0, 1], got {images.dtype}")
    return images.float()
