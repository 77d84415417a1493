"""Cells from start to finish on the miniature: bytes, resume, shards, failures, the demo."""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from bench.__main__ import command
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.run.cells import run_cell
from bench.store.records import read_records

TOY = ["prompts.per_task=1", "steps=3", "images=2", "yardstick_every=3"]
LIDAR = ["method=lidar", "method.efr.lookahead.n=4", "method.efr.lookahead.steps=2"]


def cell(*overrides):
    return make_cell(cell_settings([*TOY, *overrides], []))


def pixels(folder: Path) -> dict[str, bytes]:
    files = sorted((folder / "images").rglob("*.png"))
    return {f.relative_to(folder / "images").as_posix(): f.read_bytes() for f in files}


def run(results: Path, *overrides) -> Path:
    return run_cell(cell(*overrides), results, lambda: None)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """An uninterrupted run of LiDAR on six prompts."""
    return run(tmp_path_factory.mktemp("whole"), *LIDAR)


def test_a_finished_cell_holds_every_record_image_and_setting(whole):
    records = read_records(whole / "records.jsonl").by_index
    assert len(records) == 6
    config = yaml.safe_load((whole / "config.yaml").read_text())
    assert config["method"]["efr"]["lookahead"]["n"] == 4
    assert config["prompts"]["total"] == 6 and whole.name == config["cell"]
    for record in records.values():
        assert record.error is None and len(record.images) == 2
        assert set(record.scores) == {"preference", "clip", "jpeg"}
        parts = [v for k, v in record.seconds.items() if k != "total"]
        assert sum(parts) == pytest.approx(record.seconds["total"], abs=1e-5)
        assert record.calls["prepare"]["denoiser"] == 2 * 4 * 2
        assert record.calls["denoise"]["denoiser"] == 2 * 2 * 3
        for name in record.images:
            assert (whole / "images" / name).is_file()
    timed = [i for i, r in enumerate(records.values()) if r.yardstick]
    assert timed == [0, 4]


def test_images_are_the_same_bytes_in_shards_and_in_another_order(whole, tmp_path, monkeypatch):
    expected = pixels(whole)
    for k in (1, 0):
        folder = run(tmp_path, *LIDAR, f"shard={k}/2")
    assert folder.name == whole.name
    assert pixels(folder) == expected


def test_images_and_scores_are_the_same_whatever_the_order_of_the_prompts(whole, tmp_path):
    turned = cell(*LIDAR)
    turned = replace(turned, prompts=[turned.prompts[i] for i in (4, 1, 5, 0, 3, 2)])
    folder = run_cell(turned, tmp_path, lambda: None)
    assert pixels(folder) == pixels(whole)
    here, there = (read_records(f / "records.jsonl").by_index for f in (folder, whole))
    assert list(here) != list(there)
    for index, record in there.items():
        for key in ("geneval", "reasons", "scores", "diversity", "calls", "info"):
            assert getattr(here[index], key) == getattr(record, key), key


@pytest.mark.slow  # its message in tests/faults/test_command.py, its bytes in test_kill.py
def test_a_run_stopped_midway_says_so_and_goes_on_to_the_same_bytes(whole, tmp_path):
    """Of kill -9 see tests/faults."""
    command = [sys.executable, "-m", "bench", f"results={tmp_path}", *TOY, *LIDAR]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    records = None
    for _ in range(1200):
        records = next(iter(tmp_path.glob("runs_miniature/cells/*/records.jsonl")), None)
        if records and records.read_text().count("\n") >= 2:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 143 and records is not None
    assert "stopped; the same command goes on from here" in said and "Traceback" not in said
    before = records.read_text()
    assert 2 <= before.count("\n") < 6
    folder = run(tmp_path / "runs_miniature", *LIDAR)
    assert (folder / "records.jsonl").read_text().startswith(before[: before.rfind("\n")])
    assert pixels(folder) == pixels(whole)


def test_a_finished_cell_is_not_run_again(whole):
    before = (whole / "records.jsonl").read_bytes()
    run(whole.parent.parent, *LIDAR)
    assert (whole / "records.jsonl").read_bytes() == before


def test_every_method_starts_from_the_same_noise(tmp_path):
    """Vanilla's image i and the first steps of a method that does nothing yet are one."""
    few = "prompts.limit=2"
    vanilla = run(tmp_path, few, "method=vanilla")
    still = run(tmp_path, few, *LIDAR, "method.steer.guidance.scale=0")
    assert pixels(vanilla) == pixels(still)


def test_a_prompt_whose_reward_is_not_finite_is_recorded_and_the_rest_goes_on(
    tmp_path, monkeypatch
):
    """The first prompt, on which the cell warms up, is one of those that fail."""
    import bench.run.cells

    first = cell().prompts[0].text

    class Fragile:
        name, differentiable = "preference", True

        def __call__(self, images, prompt):
            bad = "and" in prompt.split() or prompt == first
            return torch.full((len(images),), float("nan") if bad else 1.0)

        def digest(self):
            return "fragile"

    real = bench.run.cells.load_reward
    monkeypatch.setattr(
        bench.run.cells,
        "load_reward",
        lambda n, *at: Fragile() if n == "preference" else real(n, *at),
    )
    folder = run(tmp_path, "method=best_of_n", "method.steer.best_of_n.n=2")
    records = read_records(folder / "records.jsonl").by_index
    failed = [r for r in records.values() if r.error]
    tags = {"single_object", "two_object", "color_attr"}
    assert len(records) == 6 and {r.tag for r in failed} == tags
    assert all("preference" in r.error and repr(r.prompt) in r.error for r in failed)


def test_the_demo_at_toy_size_writes_its_table_figures_and_grid(tmp_path, capsys):
    cells = 'cells=["method=vanilla","method=ug","method=fk_smc"]'
    assert command([f"results={tmp_path}", *TOY, "prompts.limit=2", cells]) == 0
    folder, said = tmp_path / "runs_miniature", capsys.readouterr().out
    grown = [line.split()[:2] for line in said.splitlines() if re.match(" +[123]/3 ", line)]
    assert grown == [["1/3", "vanilla"], ["2/3", "ug"], ["3/3", "fk_smc"]]
    assert said.strip().endswith("report.md") and str(folder / "report.html") in said
    for name in ("tables/results.csv", "figures/grid.png", "figures/phases.pdf", "report.html"):
        assert (folder / name).stat().st_size > 0
    table = (folder / "tables" / "results.md").read_text()
    assert all(method in table for method in ("vanilla", "ug", r"fk\_smc"))
    metadata = json.loads(next(folder.glob("cells/ug-*/images/*/metadata.jsonl")).read_text())
    assert set(metadata) >= {"tag", "include", "prompt"}


def test_bad_input_is_one_line_and_exit_code_two_before_any_work(tmp_path, capsys):
    for arguments, message in (
        (["method=lidr"], "did you mean 'lidar'"),
        (["steps=0"], "steps must be an integer >= 1"),
        (
            ["backbone.weights=nowhere"],
            "there is no folder 'nowhere'",
        ),
        (['cells=["method=vanilla","method=lidar method.efr.lookahead.n=0"]'], "n must be"),
    ):
        assert command([f"results={tmp_path}", *TOY, *arguments]) == 2
        said = capsys.readouterr().err
        assert message in said and said.count("\n") == 1, said
    assert not list(tmp_path.rglob("records.jsonl"))


def test_without_a_judge_costs_are_measured_and_reported_alone(tmp_path):
    from bench.report.build import build

    for method in ("method=vanilla", "method=best_of_n"):
        folder = run(tmp_path, method, "prompts.limit=3", "judge=none", "scores=[]")
    records = read_records(folder / "records.jsonl").by_index
    assert len(records) == 3
    for record in records.values():
        assert record.error is None and record.seconds["total"] > 0
        assert record.geneval is record.scores is record.diversity is None
    page = build(tmp_path).read_text()
    assert "no GenEval: costs alone" in page and "## Costs" in page
    assert "GenEval by task" not in page and not (tmp_path / "figures" / "tasks.png").exists()
    assert (tmp_path / "figures" / "phases.png").is_file()


def test_a_judge_that_fails_its_self_test_stops_the_cell_before_it_begins(tmp_path, monkeypatch):
    from bench.errors import BenchError
    from bench.judge.judges import proven
    from bench.miniature.judge import MiniatureJudge

    real = MiniatureJudge.load

    def broken():
        judge = real()
        judge.network.head.weight.data.zero_()
        return judge

    monkeypatch.setattr(MiniatureJudge, "load", broken)
    proven.cache_clear()
    with pytest.raises(BenchError, match="must not score"):
        run(tmp_path, "method=vanilla")
    assert not list(tmp_path.rglob("records.jsonl"))
    proven.cache_clear()


def test_images_on_disk_are_judged_as_they_were_when_made(whole):
    from bench.judge.__main__ import judge_folder

    again = judge_folder(whole / "images", {"name": "miniature", "kind": "miniature"})
    records = read_records(whole / "records.jsonl").by_index
    first = {}
    for _, record in sorted(records.items()):
        first.setdefault(record.tag, []).extend(record.geneval)
    assert again == first
