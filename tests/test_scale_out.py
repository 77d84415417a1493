"""Sweeps spread over processes: the same bytes as one process, one report of all, failures kept
apart. What needs an optional plugin of Hydra is skipped where it is not installed."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from bench.__main__ import command
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.config.overrides import PLUGINS, check_command_line
from bench.errors import BenchError
from bench.run.cells import run_cell
from bench.run.objective import check_objective, objective
from bench.store.folder import CellStore
from bench.store.records import encode, read_records
from bench.store.schema import KINDS, PHASES, Record
from bench.store.turns import alone, at_work, reporting

TOY = ["prompts.per_task=1", "prompts.limit=4", "steps=2", "images=1", "yardstick_every=4"]
LIDAR = ["method=lidar", "method.efr.lookahead.n=4", "method.efr.lookahead.steps=2"]
SHARDS = "shard=0/3,1/3,2/3"
TIMES = ("seconds", "judge_seconds", "yardstick", "memory")


def plugin(group: str, name: str) -> pytest.MarkDecorator:
    package = PLUGINS[group][name]
    there = find_spec("hydra_plugins") and find_spec(f"hydra_plugins.{package}")
    return pytest.mark.skipif(not there, reason=f"{package} is not installed")


def bench(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def images(folder: Path) -> dict[str, bytes]:
    files = sorted((folder / "images").rglob("*.*"))
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in files}


def results(folder: Path) -> dict[int, dict]:
    """Records without what a clock or a device's memory measured."""
    found = read_records(folder / "records.jsonl")
    assert not found.torn
    return {
        index: {k: v for k, v in record.plain().items() if k not in TIMES}
        for index, record in sorted(found.by_index.items())
    }


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """The cell run by one process, this one."""
    cell = make_cell(cell_settings([*TOY, *LIDAR], []))
    return run_cell(cell, tmp_path_factory.mktemp("one"), lambda: None)


@pytest.mark.parametrize(
    "launch",
    [
        pytest.param([], id="basic"),
        pytest.param(["launch=joblib"], id="joblib", marks=plugin("launch", "joblib")),
        pytest.param(["launch=ray"], id="ray", marks=plugin("launch", "ray")),
        pytest.param(
            ["launch=submitit_local"],
            id="submitit_local",
            marks=plugin("launch", "submitit_local"),
        ),
    ],
)
def test_shards_are_one_process_and_the_last_reports_on_all(
    launch, one, tmp_path, tmp_path_factory, monkeypatch
):
    arguments = ["-m", *launch, f"results={tmp_path}", *TOY, *LIDAR, SHARDS]
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    if launch:
        done = bench(*arguments)
        assert done.returncode == 0, done.stderr
    else:
        assert command(arguments) == 0
    (folder,) = (tmp_path / "runs_miniature" / "cells").iterdir()
    assert folder.name == one.name
    assert len(results(folder)) == 4 and results(folder) == results(one)
    assert images(folder) == images(one)
    report = (tmp_path / "runs_miniature" / "report.md").read_text()
    assert "coverage: complete" in report
    assert not Path("multirun").exists() and not Path("multirun.yaml").exists()


@plugin("launch", "joblib")
def test_a_process_loads_its_models_once_for_all_its_jobs(tmp_path):
    """Four jobs by two processes: two of them find the models there."""
    small = ["prompts.per_task=1", "prompts.limit=1", "steps=2", "images=1", "method=vanilla"]
    done = bench("-m", "launch=joblib", f"results={tmp_path}", *small, "seed=0,1,2,3")
    assert done.returncode == 0, done.stderr
    configs = [
        yaml.safe_load(f.read_text()) for f in tmp_path.glob("runs_miniature/cells/*/config.yaml")
    ]
    seconds = sorted(config["load_seconds"] for config in configs)
    assert len(seconds) == 4
    assert max(seconds[:2]) < 0.2 < seconds[2], seconds


@plugin("sweep", "optuna")
def test_optuna_finds_the_best_of_its_trials_by_the_objective(tmp_path):
    small = ["prompts.per_task=1", "prompts.limit=2", "steps=2", "images=1"]
    search = ["objective=preference", "method.steer.guidance.scale=interval(0.5,8)"]
    count = ["hydra.sweeper.n_trials=4"]
    done = bench("-m", "sweep=optuna", f"results={tmp_path}", *small, *LIDAR, *search, *count)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load((tmp_path / "multirun" / "optimization_results.yaml").read_text())
    cells = list((tmp_path / "runs_miniature" / "cells").iterdir())
    values = {cell: objective("preference", [cell]) for cell in cells}
    assert len(cells) == 4 and found["best_value"] == pytest.approx(max(values.values()))
    best = yaml.safe_load((max(values, key=values.__getitem__) / "config.yaml").read_text())
    (scale,) = found["best_params"].values()
    assert scale == pytest.approx(best["method"]["steer"]["guidance"]["scale"])


def failing_once(folder: Path) -> list[str]:
    """A sweep of two jobs, of which the first finds no weights."""
    small = ["prompts.per_task=1", "prompts.limit=1", "steps=2", "images=1", "method=vanilla"]
    (folder / "empty").mkdir()
    weights = f"backbone.weights={folder}/empty,null"
    return ["-m", f"results={folder}", *small, weights, "seed=5"]


def check_the_next_finished(folder: Path, code: int, errors: str) -> None:
    assert code == 1 and "empty is no folder of a diffusers pipeline" in errors
    configs = [
        yaml.safe_load(f.read_text()) for f in folder.glob("runs_miniature/cells/*/config.yaml")
    ]
    assert [config["seed"] for config in configs] == [5]
    assert (folder / "runs_miniature" / "report.md").is_file()


def test_a_failed_job_lets_the_next_finish(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = command(failing_once(tmp_path))
    check_the_next_finished(tmp_path, code, capsys.readouterr().err)


@plugin("launch", "joblib")
def test_a_failed_job_lets_the_next_finish_side_by_side(tmp_path):
    done = bench("launch=joblib", *failing_once(tmp_path))
    check_the_next_finished(tmp_path, done.returncode, done.stderr)


def test_usage_statistics_of_ray_are_off_before_it_starts(monkeypatch):
    import bench.run.job as app

    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    monkeypatch.setattr(app, "main", lambda: None)
    assert command(["-m", "seed=0,1"]) == 0
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("choice", ["launch=ray", "launch=submitit_local", "sweep=optuna"])
def test_a_plugin_that_is_not_installed_is_named_with_its_remedy(choice, monkeypatch):
    monkeypatch.setattr("bench.config.overrides.find_spec", lambda name: None)
    group, name = choice.split("=")
    package = PLUGINS[group][name].replace("_", "-")
    with pytest.raises(BenchError, match=rf"{choice} needs the package {package}: pip install"):
        check_command_line(["-m", choice])
    with pytest.raises(BenchError, match=r"there is no launch 'rai': .* did you mean 'ray'"):
        check_command_line(["-m", "launch=rai"])


def test_a_launcher_without_a_sweep_is_refused(monkeypatch):
    monkeypatch.setattr("bench.config.overrides.find_spec", lambda name: name)
    with pytest.raises(BenchError, match="launch=joblib is for a sweep's jobs: add -m"):
        check_command_line(["launch=joblib"])


def test_of_jobs_side_by_side_the_last_to_finish_is_alone(tmp_path):
    with at_work(tmp_path) as first, at_work(tmp_path) as second:
        assert not alone(first)
        assert alone(second), "the first has finished"
    with at_work(tmp_path) as again:
        assert alone(again)
    with at_work(tmp_path, sweep=False) as single:
        assert alone(single)


def test_a_job_that_begins_while_another_reports_waits(tmp_path):
    waiting = "import sys, pathlib; from bench.store.turns import at_work\n"
    waiting += "with at_work(pathlib.Path(sys.argv[1])): print('began')"
    with at_work(tmp_path) as first, reporting(tmp_path):
        assert alone(first)
        command = [sys.executable, "-c", waiting, str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=1.5)
    assert process.communicate(timeout=30)[0] == "began\n"


def record(index, tag, verdicts, score):
    return Record(
        index=index,
        prompt="a photo",
        tag=tag,
        seconds=dict.fromkeys([*PHASES, "total"], 1.0),
        calls={phase: dict.fromkeys(KINDS, 1) for phase in PHASES},
        images=["0.png", "1.png"],
        geneval=verdicts,
        reasons=[[], []],
        scores={"clip": score},
    )


def test_the_objective_is_geneval_s_mean_over_tasks_or_a_score_s_mean(tmp_path):
    store = CellStore(tmp_path)
    store.append(record(0, "colors", [True, True], [1.0, 2.0]))
    store.append(record(1, "colors", [True, False], [0.0, 0.0]))
    store.append(record(2, "counting", [False, False], [3.0, 6.0]))
    failed = Record(index=3, prompt="a photo", tag="counting", error="not finite")
    store.append(failed)
    assert objective("geneval", [tmp_path]) == pytest.approx((3 / 4 + 0) / 2)
    assert objective("clip", [tmp_path]) == pytest.approx((1.5 + 0 + 4.5) / 3)
    assert objective(None, [tmp_path]) is None
    (tmp_path / "records.jsonl").write_bytes(encode(failed))
    with pytest.raises(BenchError, match="no prompt was finished"):
        objective("clip", [tmp_path])


def test_an_objective_that_a_job_cannot_return_is_refused_before_it_runs():
    cell = make_cell(cell_settings(["method=vanilla"], []))
    check_objective("geneval", [cell])
    check_objective(None, [cell, cell])
    with pytest.raises(BenchError, match="is of one cell, and this job has 2"):
        check_objective("geneval", [cell, cell])
    with pytest.raises(
        BenchError, match="objective must be one of geneval, preference, clip, jpeg"
    ):
        check_objective("hps", [cell])
    points = make_cell(cell_settings(["backbone=mixture"], []))
    with pytest.raises(BenchError, match="objective must be one of quadratic, linear"):
        check_objective("geneval", [points])
