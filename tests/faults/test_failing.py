"""A failing prompt is recorded and the rest goes on; what would fail everywhere stops early."""

from dataclasses import replace

import pytest
import torch
from interrupted import state
from rich.console import Console

import bench.run.attempt
import bench.run.cells
from bench.errors import BenchError
from bench.run.attempt import CellStopped, DeviceLost
from bench.run.cells import run_cell, run_cells
from bench.store.records import read_records


@pytest.fixture
def failing(monkeypatch):
    """Make sampling raise ``error`` on the prompts whose text ``bad`` accepts."""
    real = bench.run.attempt.measure_fitting

    def put(error, bad):
        def measure(task, method, prompt):
            if bad(prompt):
                raise error
            return real(task, method, prompt)

        monkeypatch.setattr(bench.run.attempt, "measure_fitting", measure)

    yield put
    monkeypatch.undo()


def quiet(note):
    pass


def test_any_error_of_a_prompt_is_recorded_with_its_traceback_and_the_rest_goes_on(
    toy, tmp_path, failing
):
    cell = toy()
    text = cell.prompts[2].text
    failing(KeyError("no such token"), lambda prompt: prompt == text)
    notes = []
    folder = run_cell(cell, tmp_path, lambda: None, notes.append)
    records = read_records(folder / "records.jsonl").by_index
    failed = records[cell.prompts[2].index]
    assert failed.error == "KeyError: 'no such token'" and not failed.images
    assert sum(record.error is None for record in records.values()) == 5
    log = (folder / failed.log).read_text()
    assert "Traceback" in log and "in measure" in log and "KeyError" in log
    assert "failed: KeyError" in notes[0] and failed.log in notes[0]


def test_a_failed_prompt_is_tried_again_and_then_nothing_tells_of_the_failure(
    toy, tmp_path, failing, monkeypatch
):
    cell = toy()
    expected = state(run_cell(cell, tmp_path / "whole", lambda: None))
    failing(OSError("a sensor"), lambda prompt: prompt == cell.prompts[-1].text)
    folder = run_cell(cell, tmp_path / "failing", lambda: None, quiet)
    assert (folder / "errors").is_dir()
    monkeypatch.undo()
    monkeypatch.setattr(bench.run.cells, "load_judge", bench.run.cells.load_judge)
    run_cell(toy(), tmp_path / "failing", lambda: None)
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 7
    (folder / "records.jsonl").write_text("".join(lines[:5] + lines[6:]))
    assert state(folder) == expected


def test_an_error_in_judging_is_the_prompt_s_too(toy, tmp_path, monkeypatch):
    real = bench.run.cells.load_judge()

    class Judge:
        digest = real.digest

        def judge(self, metadata, images):
            if metadata["tag"] == "colors":
                raise ZeroDivisionError("no pixels")
            if metadata["tag"] == "position":
                return real.judge(metadata, images) | {"diversity": float("nan")}
            return real.judge(metadata, images)

    monkeypatch.setattr(bench.run.cells, "load_judge", lambda *at: Judge())
    folder = run_cell(toy(), tmp_path, lambda: None, quiet)
    records = read_records(folder / "records.jsonl").by_index
    errors = {record.tag: record.error for record in records.values() if record.error}
    assert errors.keys() == {"colors", "position"}
    assert errors["colors"] == "ZeroDivisionError: no pixels" and "JSON" in errors["position"]


def test_three_first_failures_alike_stop_the_cell_and_the_other_cells_run(
    toy, tmp_path, failing, monkeypatch
):
    failing(RuntimeError("shapes do not match"), lambda prompt: True)
    other = toy("method=vanilla")
    real = bench.run.cells.sample_missing

    def healthy(ready, *at):
        if ready.cell is other:
            monkeypatch.setattr(bench.run.attempt, "measure_fitting", measure)
        real(ready, *at)

    from bench.run.fit import measure_fitting as measure

    monkeypatch.setattr(bench.run.cells, "sample_missing", healthy)
    done = run_cells([toy(), other], tmp_path, Console(quiet=True))
    stopped, failed = done.problems
    assert "the first 3 prompts failed alike (RuntimeError: shapes do not match)" in stopped
    assert "3 of 6 prompts failed" in failed and "the same command tries them again" in failed
    lidar, vanilla = (read_records(f / "records.jsonl").by_index for f in done.folders)
    assert len(lidar) == 3 and len(vanilla) == 6
    assert all(record.error is None for record in vanilla.values())


def test_failures_of_different_kinds_do_not_stop_the_cell(toy, tmp_path, failing):
    kinds = iter([RuntimeError("a"), ValueError("b")] * 10)

    def bad(prompt):
        raise next(kinds)

    failing(None, bad)
    cell = replace(toy(), yardstick_every=6)
    folder = run_cell(cell, tmp_path, lambda: None, quiet)
    records = read_records(folder / "records.jsonl").by_index
    assert len(records) == 6 and all(record.error for record in records.values())


def test_a_cell_that_has_succeeded_once_is_not_stopped_on_resume(toy, tmp_path, failing):
    cell = toy()
    run_cell(replace(cell, prompts=cell.prompts[:1]), tmp_path, lambda: None)
    failing(RuntimeError("not these"), lambda prompt: True)
    folder = run_cell(cell, tmp_path, lambda: None, quiet)
    records = read_records(folder / "records.jsonl").by_index
    assert len(records) == 6 and sum(record.error is None for record in records.values()) == 1


def test_a_lost_device_stops_the_whole_run(toy, tmp_path, failing):
    text = toy().prompts[3].text
    failing(RuntimeError("CUDA error: an illegal memory access"), lambda prompt: prompt == text)
    with pytest.raises(DeviceLost, match="run the same command again"):
        run_cells([toy(), toy("method=vanilla")], tmp_path, Console(quiet=True))
    (path,) = tmp_path.glob("cells/*/records.jsonl")
    assert len(read_records(path).by_index) == 4


def test_too_little_memory_stops_one_cell_alone_and_with_no_other_it_is_the_answer(
    toy, tmp_path, failing
):
    error = torch.OutOfMemoryError("out of memory")

    def bad(prompt):
        raise BenchError(f"too little memory ({error})")

    failing(None, bad)
    with pytest.raises(BenchError, match=r"^too little memory") as raised:
        run_cells([toy(), toy("method=vanilla")], tmp_path, Console(quiet=True))
    assert not isinstance(raised.value, CellStopped)
    assert not list(tmp_path.rglob("records.jsonl"))


def test_memory_that_runs_out_while_models_load_stops_that_cell_alone(toy, tmp_path, monkeypatch):
    real, errors = bench.run.cells.load_reward, [torch.OutOfMemoryError("tried to allocate 2 GiB")]

    def load(*at):
        if errors:
            raise errors.pop()
        return real(*at)

    monkeypatch.setattr(bench.run.cells, "load_reward", load)
    done = run_cells([toy(), toy("method=vanilla")], tmp_path, Console(quiet=True))
    (problem,) = done.problems
    assert problem.startswith(
        "lidar: too little memory on cpu for the models of lidar, its rewards"
    )
    assert "tried to allocate 2 GiB" in problem
    assert [folder.name.split("-")[0] for folder in done.folders] == ["vanilla"]


def test_a_cell_with_damaged_records_is_told_and_the_next_one_runs(toy, tmp_path):
    cells = [toy("method=vanilla"), toy()]
    folder = run_cell(cells[0], tmp_path, lambda: None)
    records = folder / "records.jsonl"
    records.write_text("no record\n" + records.read_text())
    done = run_cells(cells, tmp_path, Console(quiet=True))
    assert [path.name.split("-")[0] for path in done.folders] == ["lidar"]
    assert read_records(done.folders[0] / "records.jsonl").by_index.keys() == {
        prompt.index for prompt in cells[1].prompts
    }
    (problem,) = done.problems
    assert problem.startswith("vanilla: ") and "line 1, is not a record" in problem
