"""What the miniature's scorers share: frozen weights from a file, checks of what they score."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).parent / "weights"
SIZE = 64


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
        if not all(bool(v.isfinite().all()) for v in state.values()):
            raise RuntimeError("a weight is not a finite number")
        module.load_state_dict(state)
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"the weights at {path} are damaged ({reason}); {remedy}") from error
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


class Scorer:
    """A network with frozen weights that scores images against a caption."""

    name: str
    network: ClassVar[type[nn.Module]]
    differentiable = True

    def __init__(self, net: Any, path: Path):
        self.net, self.path = net, path

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> Self:
        """From the file in ``folder`` that is named after the scorer; errors as ``load``."""
        path = Path(folder) / f"{cls.name}.safetensors"
        net = cls.network()
        load(net, path)
        return cls(net, path)

    def to(self, device: torch.device | str) -> Self:
        """Move to a device (in place)."""
        self.net.to(device)
        return self

    def digest(self) -> str:
        """SHA-256 of the weight file."""
        return digest(self.path)

    def cut(self, prompt: str) -> int:
        """0: a prompt that is too long is refused, never cut."""
        return 0
