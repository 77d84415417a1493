"""Bringing what was drawn on the host to the device, without waiting for the device."""

from __future__ import annotations

import torch
from torch import Tensor


def onto(values: Tensor, like: Tensor) -> Tensor:
    """``values`` in the type and on the device of ``like``."""
    return over(values.to(like.dtype), like.device)


def over(values: Tensor, device: torch.device) -> Tensor:
    """``values`` on a device.

    From pinned memory the copy takes its place in the device's queue and the host goes on.
    """
    if device.type == "cpu" or values.device == device:
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
