"""Calls × parts × peaks: what a method costs, in floating-point operations and in seconds.

An operation takes the longer of two times: its floating-point operations at the peak of its type,
and its bytes at the memory's bandwidth (a roofline). Peaks are never reached, so seconds are these
times over one efficiency for each backbone; ratios to vanilla need none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bench.costs.devices import Device
from bench.costs.operations import CONVOLUTION, Operation, Operations
from bench.costs.parts import TEXT, Parts

Calls = Mapping[str, Mapping[str, int]]  # samples by phase and kind
TERA = 1e12


@dataclass(frozen=True)
class Assumptions:
    """``tf32``: matrix products and attention in float32 are rounded to TF32 too; convolutions
    always are, as torch has it. ``half_reward``: the reward computes in half precision. ``bytes``:
    memory's bandwidth limits too. ``together``: samples in a call, which share the weights' bytes.
    """

    tf32: bool = False
    half_reward: bool = False
    bytes: bool = True
    together: int = 4


def flops(operations: Operations) -> float:
    """TFLOP."""
    return sum(op.flops * count for op, count in operations.items()) / TERA


def seconds(
    operations: Operations, device: Device, given: Assumptions, half: bool = False
) -> float:
    """At the device's peaks; ``half``: whatever their type, in half precision."""
    return sum(_one(op, device, given, half) * count for op, count in operations.items())


def _one(op: Operation, device: Device, given: Assumptions, half: bool) -> float:
    peak = device.half
    if op.dtype == "float32" and not half:
        peak = device.tf32 if op.kind == CONVOLUTION or given.tf32 else device.single
    computing = op.flops / (peak * TERA)
    moving = (op.moved + op.weights / given.together) / (device.bandwidth * 1e9)
    if op.dtype == "float32" and half:
        moving /= 2
    return max(computing, moving) if given.bytes else computing


def by_part(calls: Calls, texts: int) -> dict[tuple[str, str], int]:
    """(phase, kind) -> samples; the texts are encoded once a prompt, in the phase "prepare"."""
    found = {(phase, kind): n for phase, own in calls.items() for kind, n in own.items() if n}
    return {("prepare", TEXT): texts, **found}


def total_flops(parts: Parts, samples: Mapping[tuple[str, str], int]) -> Counter[tuple[str, str]]:
    """TFLOP by phase and kind."""
    each = {kind: flops(operations) for kind, operations in parts.items()}
    return Counter({key: each[key[1]] * n for key, n in samples.items()})


def total_seconds(
    parts: Parts,
    samples: Mapping[tuple[str, str], int],
    device: Device,
    given: Assumptions = Assumptions(),
) -> float:
    """At the device's peaks."""
    each = {
        kind: seconds(own, device, given, given.half_reward and kind.startswith("reward"))
        for kind, own in parts.items()
    }
    return sum(each[kind] * n for (_, kind), n in samples.items())


def shift_seconds(n: int, images: int, latent: int, steps: int, device: Device) -> float:
    """LiDAR's own arithmetic in its guided steps, at the device's peaks: two matrix products in
    float32 of ``images`` latents of ``latent`` numbers with n samples, which are read twice."""
    computing = 4.0 * images * latent * n / (device.single * TERA)
    moving = 8.0 * latent * n / (device.bandwidth * 1e9)
    return steps * max(computing, moving)
