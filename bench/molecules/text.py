"""Strings as tensors of character codes: what a backbone of molecules delivers, whatever its
vocabulary, so that rewards and judge read text alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def to_codes(strings: Sequence[str], width: int) -> Tensor:
    """ASCII strings of at most ``width`` characters -> (N, width) uint8, 0 behind the end."""
    padded = b"".join(string.encode("ascii").ljust(width, b"\0") for string in strings)
    return torch.frombuffer(bytearray(padded), dtype=torch.uint8).reshape(len(strings), width)


def from_codes(codes: Tensor) -> list[str]:
    """``to_codes`` undone."""
    return [bytes(row).rstrip(b"\0").decode("ascii") for row in codes.cpu().numpy()]
