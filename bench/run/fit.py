"""Batches that fit: where memory runs out, fewer samples at a time, and the record says so.

A method that differentiates keeps a graph of every image that it samples together, so these are
halved first, down to one image at a time, as LiDAR's paper ran UG and DATE on SDXL. Where images
are coupled, and where one image has several candidates, the particles that are differentiated at a
time are halved instead. What else is large is split without a trace in the result: the batches of
the denoiser and the decoder.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import Any

import torch

from bench.errors import BenchError, reason_of
from bench.run.measure import Measured, Task, measure
from methods.method import Method

# Libraries that allocate by themselves say it in their own words.
ALLOCATIONS = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUDA out of memory")


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


def smaller(task: Task, method: Method) -> Task | None:
    """The task with the next smaller batches, None where there are none."""
    images = task.together or task.images
    splits = images > 1 and not method.joint
    if splits and method.differentiates:
        return replace(task, together=(images + 1) // 2)
    graph = min(task.graph or images * method.candidates, images * method.candidates)
    if method.differentiates and graph > 1:
        return replace(task, graph=(graph + 1) // 2)
    backbone: Any = task.backbone
    limits = getattr(backbone, "limits", None)
    if limits is not None and max(limits.denoiser, limits.decoder) > 1:
        half = replace(
            limits, denoiser=max(1, limits.denoiser // 2), decoder=max(1, limits.decoder // 2)
        )
        return replace(task, backbone=replace(backbone, limits=half))
    return replace(task, together=(images + 1) // 2) if splits else None


def measure_fitting(task: Task, method: Method, prompt: str) -> tuple[Measured, Task]:
    """The measurement with the largest batches that fit, and the task with these batches.

    What a failed attempt cost is in no clock. Raises BenchError where a single sample is too much.
    """
    while True:
        try:
            return measure(task, method, prompt), task
        except RuntimeError as error:
            reason = reason_of(error)
            if not isinstance(error, torch.OutOfMemoryError) and not any(
                words in reason for words in ALLOCATIONS
            ):
                raise
        next_task = smaller(task, method)
        if next_task is None:
            coupled = "; its images are coupled and cannot be sampled apart" if method.joint else ""
            raise BenchError(
                f"too little memory for {method.name} on {task.backbone.device}, one sample at a "
                f"time included{coupled} ({reason}): lower `images`, or use a larger device"
            )
        task = next_task
        release()


def release() -> None:
    """Hand memory that is no longer used back to the device."""
    if torch.cuda.is_available():
        gc.collect()
        torch.cuda.empty_cache()
