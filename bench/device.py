"""Where models run, in which floating-point type, and whether there is room for them."""

from __future__ import annotations

import gc
import re
from typing import TYPE_CHECKING, Any

import psutil

from bench.errors import BenchError, explained
from methods.settings import one_of

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
DTYPES = ("auto", "float32", "float16", "bfloat16")
ROOM = 1.1  # weights, and a little to load them with
GIB = 2**30


def check_device(key: str, name: Any) -> None:
    """Raise BenchError for what names no device anywhere; whether it is here is not asked."""
    kind, colon, _ = str(name).partition(":")
    with explained():
        one_of(key, kind, DEVICES)
    if colon and not re.fullmatch(r"cuda:\d+", name):
        raise BenchError(f"{key}: a number belongs to cuda alone, such as cuda:1, got {name!r}")


def resolve_device(name: str) -> torch.device:
    """The device called ``name``: auto is a GPU where there is one. Raises BenchError."""
    import torch

    check_device("device", name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise BenchError("device=cuda: torch sees no GPU here; use device=cpu")
    device = torch.device(name)
    count = torch.cuda.device_count() if device.type == "cuda" else 0
    if device.type == "cuda" and (device.index or 0) >= count:
        raise BenchError(f"device={name}: torch sees {count} GPUs, numbered from 0")
    return torch.device("cuda", device.index or 0) if device.type == "cuda" else device


def resolve_dtype(
    key: str, name: str, device: torch.device, accelerated: str = "float32"
) -> torch.dtype:
    """The type called ``name``; auto is ``accelerated`` on a GPU and float32 on a CPU."""
    import torch

    one_of(key, name, DTYPES)
    if name == "float16" and device.type == "cpu":
        raise BenchError(
            f"{key}=float16 on a CPU: its kernels are missing or slow there; use float32 or "
            "bfloat16, or a GPU"
        )
    if name == "auto":
        name = "float32" if device.type == "cpu" else accelerated
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def set_precision() -> str:
    """Set how a GPU computes in float32 and chooses algorithms; what a cell's config says of it.

    These are torch's own defaults, under which peers measure: TF32 in convolutions and not in
    matrix products, algorithms by heuristics instead of trials, and those that are not
    deterministic allowed. They are set so that nothing else in the process decides.
    """
    import torch

    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = False
    torch.use_deterministic_algorithms(False)
    return "matmul float32, convolution tf32, cudnn.benchmark off, deterministic off"


def describe_device(device: torch.device) -> str:
    """What a reader of a timing wants to know: the GPU's name, or the CPU and its threads."""
    import platform

    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"{platform.machine()} CPU, {threads} thread{'s' if threads > 1 else ''}"


def free_bytes(device: torch.device) -> int:
    """Memory that is free on the device, in bytes."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def release() -> None:
    """Hand memory that is no longer used back to the device."""
    import torch

    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()


def check_room(what: str, needed: int, device: torch.device) -> None:
    """Raise BenchError unless ``needed`` bytes of weights fit on the device."""
    free = free_bytes(device)
    if needed * ROOM > free:
        raise BenchError(
            f"too little memory: the weights of {what} take {needed / GIB:.1f} GiB, and "
            f"{free / GIB:.1f} GiB are free on {device}; use a larger device, a smaller dtype "
            "(backbone.dtype=bfloat16), or weights=tiny to try the harness"
        )
