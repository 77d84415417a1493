"""Peaks of some GPUs as their maker publishes them: dense, accumulated in float32.

Where a data sheet gives tensor cores with sparsity alone, this is half of it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Device:
    """``half``: TFLOP/s of matrix products and convolutions in float16 and bfloat16; ``tf32``: of
    float32 ones whose inputs are rounded to TF32; ``single``: of float32 ones that are not.
    ``bandwidth``: of its memory, GB/s."""

    name: str
    half: float
    tf32: float
    single: float
    bandwidth: float
    source: str


AMPERE = "NVIDIA A100 Tensor Core GPU data sheet, 80GB SXM"
HOPPER = "NVIDIA {} Tensor Core GPU data sheet, SXM"
DEVICES = {
    "a100": Device("A100", 312, 156, 19.5, 2039, AMPERE),
    "h100": Device("H100", 989.4, 494.7, 66.9, 3350, HOPPER.format("H100")),
    "h200": Device("H200", 989.4, 494.7, 66.9, 4800, HOPPER.format("H200")),
    "rtx4090": Device(
        "RTX 4090", 165.2, 82.6, 82.6, 1008, "NVIDIA Ada GPU Architecture white paper, appendix A"
    ),
    "rtx3090": Device(
        "RTX 3090", 71, 35.6, 35.6, 936, "NVIDIA Ampere GA102 GPU Architecture white paper, table 9"
    ),
}
