"""Bringing what was drawn on the host to the device, without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor


def onto(values: Tensor, like: Tensor) -> Tensor:
    """``values`` in the type and on the device of ``like``.

    From pinned memory the copy takes its place in the device's queue and the host goes on.
    """
    if like.device.type == "cpu" or values.device == like.device:
        return values.to(like)
    pinned = values.to(like.dtype).pin_memory()
    return pinned.to(torch.device(like.device), non_blocking=True)
