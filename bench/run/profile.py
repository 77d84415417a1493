"""``guidance-bench profile [key=value …]``: where the time of one prompt goes, by operation.

Samples the first prompt of the cell that the settings describe, once to warm up and once under
torch's profiler, and prints the dearest operations and the seconds by phase. ``trace.json.gz`` and
``operations.txt`` go to RESULTS/profile_<method>_<backbone>; the first opens in a browser's trace
viewer (Perfetto). Profiling slows the host down, so these seconds belong in no table.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bench.config.compose import cell_settings, composed
from bench.config.overrides import check_command_line, written_out
from bench.errors import BenchError
from bench.store.disk import check_writable

ROWS = 25


def main(arguments: Sequence[str]) -> int:
    """0 done, 2 it cannot be done as things are."""
    try:
        arguments = written_out(arguments)
        check_command_line(arguments)
        print(profile(arguments, Console()))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def profile(overrides: Sequence[str], console: Console) -> Path:
    """Profile one prompt of a cell; the folder that was written. Raises BenchError."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from bench.backbones import load_backbone
    from bench.config.cell import make_cell
    from bench.device import resolve_device
    from bench.rewards import load_reward
    from bench.run.fit import measure_fitting
    from bench.run.job import results_folder
    from bench.run.measure import Task, measure

    settings = cell_settings(overrides, [])
    cell = make_cell(settings)
    name = f"profile_{cell.method.name}_{cell.backbone['name']}"
    folder = results_folder(composed(overrides)) / name
    check_writable(folder)
    device = resolve_device(cell.device)
    backbone, _ = load_backbone(cell.backbone, cell.device, cell.solvers)
    reward = load_reward(cell.reward, settings["rewards"], device)
    task = Task(backbone, reward, cell.solver, cell.steps, cell.images, cell.seed)
    prompt = cell.prompts[0].text
    _, task = measure_fitting(task, cell.method, prompt)
    activities = [ProfilerActivity.CPU]
    activities += [ProfilerActivity.CUDA] if device.type == "cuda" else []
    with profiler(activities=activities) as seen:
        measured = measure(task, cell.method, prompt)
    by = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    table = seen.key_averages().table(sort_by=by, row_limit=ROWS, max_name_column_width=50)
    (folder / "operations.txt").write_text(table)
    seen.export_chrome_trace(str(folder / "trace.json.gz"))
    console.print(table, highlight=False, markup=False, soft_wrap=True)
    seconds = ", ".join(f"{phase} {value:.3g}" for phase, value in measured.seconds.items())
    console.print(f"seconds under the profiler: {seconds}")
    return folder
