"""What only a real GPU can show: ``make gpu`` runs these, and ``make test`` passes them over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bench.backbones.latent import Limits
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.run.cells import prepare, run_cell
from bench.run.fit import batch, measure_fitting
from bench.run.measure import measure
from bench.store.records import read_records
from tests.small import FAMILIES, methods_of, small_settings

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here"),
]
TOY = ["weights=tiny", "judge=none", "scores=[]", "prompts.limit=1", "steps=4", "images=2"]
SMALL = ["method.efr.lookahead.n=6", "method.efr.lookahead.steps=2"]
TRUE_SIZE = ["backbone=sd15", "weights=random", "judge=none", "scores=[]", "prompts.limit=1"]


def cell(*overrides: str) -> Any:
    return make_cell(cell_settings(list(overrides), []))


def ready(tmp_path: Any, *overrides: str) -> Any:
    return prepare(cell(*overrides), tmp_path, lambda said: None)


def delivered(tmp_path: Any, *overrides: str) -> np.ndarray:
    found = ready(tmp_path, *overrides)
    return measure(found.task, found.cell.method, found.cell.prompts[0].text).delivered.astype(int)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_method_runs_in_half_precision(family: str, tmp_path: Any) -> None:
    for method in methods_of(family):
        given = (f"backbone={family}", "judge=none", "scores=[]", "device=cuda")
        own = make_cell(small_settings(family, method, *given))
        folder = run_cell(own, tmp_path, lambda: None)
        (record,) = read_records(folder / "records.jsonl")
        assert record.error is None, (method, record.error)
        assert record.memory is not None and "CPU" not in record.device


@pytest.mark.parametrize("method", ["vanilla", "lidar", "ug", "date"])
def test_in_float32_a_gpu_makes_the_images_that_a_cpu_makes(method: str, tmp_path: Any) -> None:
    own = [*TOY, "backbone=sd15", f"method={method}", "backbone.dtype=float32"]
    own += SMALL if method == "lidar" else []
    here, there = (delivered(tmp_path, *own, f"device={name}") for name in ("cuda", "cpu"))
    assert abs(here - there).mean() < 1


@pytest.mark.parametrize("method", ["vanilla", "lidar"])
def test_the_host_waits_at_no_step_of_the_loop(method: str, tmp_path: Any) -> None:
    """CUDA itself refuses every wait from the first step to the last."""
    small = SMALL if method == "lidar" else []
    found = ready(tmp_path, *TOY, "backbone=sd15", f"method={method}", *small, "device=cuda")
    prompt = found.cell.prompts[0].text
    measure(found.task, found.cell.method, prompt)

    def watch(step: Any) -> None:
        last = step.index == step.steps - 1
        torch.cuda.set_sync_debug_mode("default" if last else "error")

    try:
        measure(found.task, found.cell.method, prompt, watch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_where_memory_runs_out_smaller_batches_make_the_same_images(tmp_path: Any) -> None:
    """Stable Diffusion 1.5 at true size, in calls of 256 samples, on a part of the memory."""
    own = ["method=lidar", "method.efr.lookahead.n=128", "steps=4", "device=cuda"]
    found = ready(tmp_path, *TRUE_SIZE, *own)
    prompt, method = found.cell.prompts[0].text, found.cell.method
    few = measure(found.task, method, prompt)
    backbone: Any = found.task.backbone
    large = replace(found.task, backbone=replace(backbone, limits=Limits(256, 128)))
    resident = torch.cuda.memory_allocated()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction((resident + 12 * 2**30) / total)
    try:
        measured, fitted = measure_fitting(large, method, prompt)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert batch(fitted) != batch(large), "memory did not run out: the test shows nothing"
    assert measured.calls == few.calls
    difference = abs(measured.delivered.astype(int) - few.delivered.astype(int))
    assert difference.mean() < 4  # half precision rounds otherwise in a batch of another size


def test_a_compiled_denoiser_makes_the_same_images(tmp_path: Any) -> None:
    own = [*TOY, "backbone=sd15", "method=lidar", *SMALL, "device=cuda"]
    own += ["backbone.dtype=float32"]
    switch = [f"backbone.compile={on}" for on in ("false", "true")]
    plain, compiled = (delivered(tmp_path, *own, on) for on in switch)
    assert abs(plain - compiled).mean() < 1


def test_target_sampling_at_800_lookahead_samples_needs_little_more_memory_than_vanilla(
    tmp_path: Any,
) -> None:
    """800 lookahead samples are 52 MB on the device, and their centered copy is as much."""
    own = ["steps=4", "device=cuda", "backbone.max_batch=8", "backbone.max_decode=4"]
    peaks = {}
    for method in ("vanilla", "lidar method.efr.lookahead.n=800 method.efr.lookahead.steps=1"):
        found = ready(tmp_path, *TRUE_SIZE, *own, *f"method={method}".split())
        measured = measure(found.task, found.cell.method, found.cell.prompts[0].text)
        assert measured.memory is not None
        peaks[method] = measured.memory["allocated"]
    vanilla, lidar = peaks.values()
    assert lidar - vanilla < 2**29
