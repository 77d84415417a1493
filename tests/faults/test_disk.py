"""A full disk, a damaged file, a changed one, two writers: said clearly, and nothing lost."""

import os
import resource
import signal
import time

import pytest
from interrupted import finish, start, state
from rich.console import Console

from bench.errors import BenchError
from bench.run.cells import run_cell, run_cells
from bench.store.config import read_config, write_config
from bench.store.disk import DiskError
from bench.store.records import read_records


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    return state(run_cell(toy(), tmp_path_factory.mktemp("whole"), lambda: None))


@pytest.fixture
def folder(toy, tmp_path):
    return run_cell(toy(), tmp_path, lambda: None)


def again(toy, results):
    """The same command; the notes it prints."""
    notes = []
    run_cell(toy(), results, lambda: None, notes.append)
    return notes


def last_of_each(folder):
    """``state`` where prompts were made anew: the last record of each counts, whatever its line."""
    records = read_records(folder / "records.jsonl").by_index
    lines = (folder / "records.jsonl").read_text().splitlines()
    last = {}
    for line in lines:
        last |= {line.split(",")[0]: line}
    (folder / "records.jsonl").write_text("".join(f"{line}\n" for line in last.values()))
    found = state(folder)
    assert len(records) == len(last)
    return found | {"records": sorted(found["records"])}


def in_any_order(found):
    return found | {"records": sorted(found["records"])}


@pytest.mark.parametrize("budget", [300, 1500, 4000])
def test_a_disk_that_fills_up_stops_the_run_and_it_goes_on_when_there_is_room(
    toy, tmp_path, whole, budget, monkeypatch
):
    """No file may grow beyond ``budget`` bytes: the settings, an image or the records hit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (budget, hard))
    try:
        with pytest.raises(DiskError, match=r"no space left .* free some and run the same command"):
            run_cells([toy(), toy("method=vanilla")], tmp_path, Console(quiet=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert len(list((tmp_path / "cells").iterdir())) == 1, "the second cell must not begin"
    for path in tmp_path.rglob("records.jsonl"):
        assert path.read_bytes().endswith(b"\n") or not path.read_bytes()
    assert state(finish(toy(), tmp_path)) == whole


def test_a_folder_that_cannot_be_written_is_named(toy, tmp_path):
    (tmp_path / "cells").write_text("a file where the cells should be")
    with pytest.raises(DiskError, match=r"cannot write .*cells"):
        run_cell(toy(), tmp_path, lambda: None)


@pytest.mark.parametrize("tail", ['{"index": 7, "ima', "\0\0\0\0", "garbage\n"])
def test_a_damaged_last_line_is_cut_and_its_prompt_made_again(toy, folder, whole, tail):
    path = folder / "records.jsonl"
    kept = path.read_text().splitlines(keepends=True)[:-1]
    path.write_text("".join(kept) + tail)
    (note,) = again(toy, folder.parent.parent)
    assert "the last line is cut off or damaged" in note
    assert path.read_text().startswith("".join(kept)) and state(folder) == whole


def test_a_deleted_image_is_noticed_and_its_prompt_sampled_again(toy, folder, whole):
    gone = sorted(folder.rglob("*.png"))[3]
    gone.unlink()
    (note,) = again(toy, folder.parent.parent)
    assert f"{gone.name} is missing" in note and "is sampled again" in note
    assert last_of_each(folder) == in_any_order(whole)


def test_an_image_that_was_changed_is_noticed(toy, folder, whole):
    torn = sorted(folder.rglob("*.png"))[0]
    torn.write_bytes(torn.read_bytes()[:-20])
    (note,) = again(toy, folder.parent.parent)
    assert "is not the image that was recorded" in note
    assert last_of_each(folder) == in_any_order(whole)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("\nsteps: 2\n", "\nsteps: 20\n", "changed since it was written: steps is 20, ran with 2"),
        ("lookahead:\n      'n': 2", "lookahead:\n      'n': 9", r"method.efr.lookahead.n is 9"),
        ("\nseed: 0\n", "\nseed: [\n", "cannot be read"),
        ("\nseed: 0\n", "\n", "seed is –, ran with 0"),
        ("\nthreads: 1\n", "\nthreads: 2\n", "its seal is broken"),
        ("\nseal: ", "\n# seal: ", "carries no seal: an earlier version wrote it"),
    ],
)
def test_an_edited_configuration_is_refused_with_the_key_and_the_remedy(
    toy, folder, whole, old, new, message
):
    path = folder / "config.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(BenchError, match=message) as raised:
        again(toy, folder.parent.parent)
    assert "delete it" in str(raised.value)
    path.unlink()
    assert again(toy, folder.parent.parent) == [] and path.is_file() and state(folder) == whole


def test_other_surroundings_are_said_where_prompts_are_missing_and_the_first_are_kept(toy, folder):
    path = folder / "config.yaml"
    config = read_config(path)
    del config["seal"]
    write_config(path, config | {"threads": 64})
    text = path.read_text()
    assert again(toy, folder.parent.parent) == []
    next(folder.rglob("*.png")).unlink()
    notes = again(toy, folder.parent.parent)
    assert any("other surroundings: threads is 1, was 64" in note for note in notes)
    assert path.read_text() == text


def test_a_second_process_at_the_cell_is_refused_while_other_shards_are_not(toy, tmp_path, whole):
    def hold():
        import bench.run.cells

        os.setsid()
        bench.run.cells.attempt = lambda *at: time.sleep(60)  # as if the prompt took long

    pid = start(toy("shard=0/2"), tmp_path, hold)
    try:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("cells/*/config.yaml")) and time.monotonic() < deadline:
            time.sleep(0.01)
        for shard in ("0/1", "0/2", "2/4", "1/3"):
            with pytest.raises(BenchError, match="another process is writing"):
                run_cell(toy(f"shard={shard}"), tmp_path, lambda: None)
        run_cell(toy("shard=1/2"), tmp_path, lambda: None)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    found = state(finish(toy(), tmp_path))
    assert in_any_order(found) == in_any_order(whole)
