"""The training of the miniature as a whole: started from a checkout, left out of the package."""

import csv
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNET = ROOT / "bench/miniature/weights/pipeline/unet/diffusion_pytorch_model.safetensors"


def test_the_stages_are_listed_without_the_training_extra_or_torch():
    command = [sys.executable, "-m", "training", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    stages = "vae judge preference taste clip diffusion curve export students flow molecules udlm"
    for stage in stages.split():
        assert stage in done.stdout


def test_an_unknown_stage_is_refused():
    command = [sys.executable, "-m", "training", "vea"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "invalid choice: 'vea'" in done.stderr


def test_it_is_not_part_of_the_installed_package():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["packages"]["find"]["include"]
    assert any(fnmatch("bench.miniature", pattern) for pattern in patterns)
    assert not any(fnmatch("training", pattern) for pattern in patterns)


def test_nothing_in_the_package_imports_it():
    for folder in ("bench", "methods"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text()
            assert "from training" not in text and "import training" not in text, file


@pytest.mark.slow
def test_the_stages_run_one_after_the_other_and_the_curve_resumes(tmp_path, monkeypatch):
    """At toy size; the judge's report, on all 553 prompts, is left out."""
    pytest.importorskip("fonticon_mdi7", reason="scenes need the training extra")
    from safetensors.torch import load_file

    from bench.backbones.folder import check_pipeline_folder
    from bench.miniature.judge import FILE, MiniatureJudge
    from bench.miniature.pipeline import REMEDY
    from training import curve, diffusion, flow, flow_student, judge, students, vae

    small = {
        vae: {"STEPS": 2},
        judge: {"STEPS": 2, "BANK": 20, "BANK_CHUNK": 10, "HELD_OUT": 20, "WEIGHTS": tmp_path},
        diffusion: {"STEPS": 1, "POLISH_STEPS": 1, "BANK": 500, "SNAPSHOT_EVERY": 1, "BATCH": 4},
        curve: {"PROMPTS_PER_TASK": 1, "STEPS": 2},
        flow: {"STEPS": 1, "BATCH": 4, "JUDGED_STEPS": 2, "FLOW": tmp_path / "packaged"},
        students: {"STEPS": 1, "BATCH": 4, "STUDENT": tmp_path / "lcm.safetensors"},
        flow_student: {"STEPS": 1, "FLOW_STUDENT": tmp_path / "flow_lcm.safetensors"},
    }
    for module, settings in small.items():
        for name, value in settings.items():
            monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(judge, "evaluate_ground_truth", lambda *args, **options: {})
    monkeypatch.setattr(judge, "table", lambda report: "")
    final = tmp_path / "vae" / "final"
    for module in (vae, judge, diffusion, curve, flow):
        module.train(tmp_path / module.__name__.rpartition(".")[2], final)
    assert check_pipeline_folder(tmp_path / "packaged", "StableDiffusionPipeline", REMEDY)
    assert "geneval" in (tmp_path / "flow" / "flow.csv").read_text().splitlines()[0]
    assert MiniatureJudge.load(tmp_path).digest() and (tmp_path / FILE).is_file()
    table = tmp_path / "diffusion" / "curve.csv"
    first = table.read_text()
    assert [line.split(",")[0] for line in first.splitlines()] == ["step", "1", "2"]
    curve.train(tmp_path / "curve", final)
    assert table.read_text() == first
    for module, file in ((students, "lcm"), (flow_student, "flow_lcm")):
        name = module.__name__.rpartition(".")[2]
        module.train(tmp_path / name, final)
        assert {*load_file(tmp_path / f"{file}.safetensors")} == {*load_file(UNET)}
        [row] = csv.DictReader((tmp_path / name / f"{name}.csv").open())
        assert row["samples"] == "4" and {"geneval_1", "geneval_2", "geneval_4"} <= {*row}
