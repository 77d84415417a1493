"""Batches that fit: where memory runs out, fewer samples at a time, and the record says so.

A method that differentiates keeps a graph of every image that it samples together, so these are
halved first, down to one image at a time, as LiDAR's paper ran UG and DATE on SDXL. Where images
are coupled, and where one image has several candidates, the particles that are differentiated at a
time are halved instead. What else is large is split without a trace in the result: the batches of
the denoiser and the decoder, that of the two which failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from bench.device import release
from bench.errors import BenchError, reason_of
from bench.run.measure import Measured, Task, measure
from bench.run.meter import Call, Meter
from methods.method import Method

# Libraries that allocate by themselves say it in their own words, or fail to start their work.
ALLOCATIONS = (
    "out of memory",
    "can't allocate memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "unable to find an engine",
    "Unable to find a valid cuDNN algorithm",
)
LIMITS = {"denoiser": "denoiser", "decode": "decoder"}  # the limit of each part


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocation failed, by torch or by a library under it."""
    said = isinstance(error, RuntimeError) and any(words in str(error) for words in ALLOCATIONS)
    return said or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def batch(task: Task) -> dict[str, int | None]:
    """What the record says of the batches."""
    limits = getattr(task.backbone, "limits", None)
    graph = {} if task.graph is None else {"graph": task.graph}
    return {
        "images": task.together or task.images,
        "denoiser": None if limits is None else limits.denoiser,
        "decoder": None if limits is None else limits.decoder,
        **graph,
    }


def smaller(task: Task, method: Method, call: Call | None = None) -> Task | None:
    """The task with the next smaller batches, None where there are none.

    ``call``: of the backbone, the one that is to be halved.
    """
    images = task.together or task.images
    splits = images > 1 and not method.joint
    if splits and method.differentiates:
        return replace(task, together=(images + 1) // 2)
    graph = min(task.graph or images * method.candidates, images * method.candidates)
    if method.differentiates and graph > 1:
        return replace(task, graph=(graph + 1) // 2)
    backbone: Any = task.backbone
    rows = 0 if call is None else rows_of(backbone, call)
    if call is not None and rows > 1:
        limits = replace(backbone.limits, **{LIMITS[call.part]: (rows + 1) // 2 * call.each})
        return replace(task, backbone=replace(backbone, limits=limits))
    return replace(task, together=(images + 1) // 2) if splits else None


def rows_of(backbone: Any, call: Call) -> int:
    """How many of a call's samples really go through a network together; 0 where nothing limits
    them."""
    limits = getattr(backbone, "limits", None)
    most = 0 if limits is None else max(1, getattr(limits, LIMITS[call.part]) // call.each)
    return min(call.rows, most)


def culprit(backbone: Any, meter: Meter) -> Call | None:
    """The call in which memory ran out. Where it was in none, the one of most samples, so that the
    denoiser's and the decoder's are halved in turn."""
    if meter.under_way is not None:
        return meter.under_way
    calls = meter.largest.values()
    return max(calls, key=lambda call: rows_of(backbone, call), default=None)


def measure_fitting(task: Task, method: Method, prompt: str) -> tuple[Measured, Task]:
    """The measurement with the largest batches that fit, and the task with these batches.

    What a failed attempt cost is in no clock. Raises BenchError where a single sample is too much.
    """
    while True:
        meter = Meter(task.backbone.device)
        try:
            return measure(task, method, prompt, meter=meter), task
        except Exception as error:
            if not out_of_memory(error):
                raise
            reason = reason_of(error)
        next_task = smaller(task, method, culprit(task.backbone, meter))
        if next_task is None:
            coupled = "; its images are coupled and cannot be sampled apart" if method.joint else ""
            raise BenchError(
                f"too little memory for {method.name} on {task.backbone.device}, one sample at a "
                f"time included{coupled} ({reason}): lower `images`, or use a larger device"
            )
        task = next_task
        release()


@contextmanager
def models_fit(method: Method, device: torch.device) -> Iterator[None]:
    """Raise BenchError, which stops one cell alone, where memory runs out while models load."""
    try:
        yield
    except Exception as error:
        if not out_of_memory(error):
            raise
        reason = reason_of(error)
    else:
        return
    release()
    raise BenchError(
        f"too little memory on {device} for the models of {method.name}, its rewards and students "
        f"included ({reason}): name fewer scores, use judge=none, or a larger device"
    )
