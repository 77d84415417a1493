"""The commands of ``make gpu`` are ones that would run, as far as this shows without a GPU."""

import shlex
import subprocess
from pathlib import Path

import pytest

from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.run import job

ROOT = Path(__file__).parents[2]


def commands():
    told = subprocess.run(
        ["make", "--dry-run", "--always-make", "gpu", "PYTHON=python3"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.replace("\\\n", " ")  # fmt: skip
    lines = [shlex.split(line) for line in told.splitlines() if " -m bench" in line]
    return [line[line.index("-m") + 1 :] for line in lines]


def test_every_run_of_make_gpu_passes_the_checks_before_a_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    checked = 0
    for module, *arguments in commands():
        own = ["device=cpu" if a == "device=cuda" else a for a in arguments]
        if module == "bench.costs":
            assert own[0].startswith("results/gpu/cost_")
        elif own[0] == "profile":
            assert make_cell(cell_settings(own[1:], [])).method.name == "lidar"
        else:
            job.check(own)
        checked += 1
    assert checked == 6


def test_make_gpu_asks_for_a_gpu():
    runs = [line for line in commands() if line[0] == "bench"]
    assert runs and all("device=cuda" in line for line in runs)


@pytest.mark.parametrize("name", ["cost_sd15_random", "cost_sdxl_random"])
def test_what_is_compared_with_the_cost_model_is_a_folder_that_make_gpu_writes(name):
    backbones = {a for line in commands() for a in line if a.startswith("backbone=")}
    assert f"backbone={name.split('_')[1]}" in backbones
