"""kill -9 at any moment: the same command goes on to the same bytes."""

import os
import time
from dataclasses import replace

import pytest
from interrupted import finish, kill_at_random_moments, killed_at, start, state

from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.run.cells import run_cell
from bench.store.records import read_records


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """The toy's state after an uninterrupted run, and how long another one takes."""
    results = tmp_path_factory.mktemp("whole")
    folder = run_cell(toy(), results / "first", lambda: None)
    began = time.perf_counter()
    assert state(finish(toy(), results / "second")) == state(folder)
    return state(folder), time.perf_counter() - began


@pytest.mark.parametrize("seed", range(3))
def test_runs_killed_at_random_moments_end_in_the_state_of_one_that_was_not(
    toy, tmp_path, whole, seed
):
    expected, seconds = whole
    folders, kills = kill_at_random_moments(toy(), tmp_path, 5, seconds / 6, seed)
    assert all(state(folder) == expected for folder in folders)
    assert max(kills) > 0, "no kill came between two prompts"


def test_a_kill_between_any_two_writes_leaves_nothing_torn_and_nothing_behind(toy, tmp_path):
    """Every flush and renaming of the settings and the first prompt is a moment to die at."""
    cell, calls, kills = toy(), 18, 0
    cell = replace(cell, prompts=cell.prompts[:2])
    expected = state(finish(cell, tmp_path / "whole"))
    for call in range(1, calls + 1):
        results = tmp_path / str(call)
        kills += killed_at(cell, results, call)
        for path in results.rglob("*.png"):
            assert path.parent.parent.name.startswith(".partial") or whole_image(path)
        read_records(next(results.glob("cells/*")) / "records.jsonl")
        assert state(finish(cell, results)) == expected, call
    assert kills == calls


def whole_image(path) -> bool:
    from PIL import Image

    with Image.open(path) as image:
        image.load()
    return True


def test_a_run_that_is_killed_at_every_other_write_still_arrives(toy, tmp_path, whole):
    results, kills = tmp_path / "killed", 0
    while killed_at(toy(), results, 14):  # a prompt's and a little more
        kills += 1
    assert state(finish(toy(), results)) == whole[0] and kills >= 4


def test_records_and_images_are_the_same_in_shards_that_run_side_by_side(toy, tmp_path, whole):
    shards = [start(toy(f"shard={k}/3"), tmp_path / "shards") for k in range(3)]
    assert [os.waitpid(pid, 0)[1] for pid in shards] == [0, 0, 0]
    together, expected = state(finish(toy(), tmp_path / "shards")), whole[0]
    together["records"].sort()
    assert together == expected | {"records": sorted(expected["records"])}


def test_the_prompts_timed_beside_vanilla_do_not_depend_on_what_was_done_before(toy, tmp_path):
    def timed(folder):
        records = read_records(folder / "records.jsonl").by_index
        return {index for index, record in records.items() if record.yardstick}

    cell = toy()
    expected = timed(run_cell(cell, tmp_path / "whole", lambda: None))
    part = replace(cell, prompts=cell.prompts[:4])
    run_cell(part, tmp_path / "parts", lambda: None)
    assert timed(run_cell(cell, tmp_path / "parts", lambda: None)) == expected
    assert 0 < len(expected) < len(cell.prompts)


@pytest.mark.slow
def test_the_miniature_killed_at_twenty_random_moments(tmp_path):
    small = ["method.efr.lookahead.n=4", "steps=3", "images=2", "prompts.per_task=6"]
    cell = make_cell(cell_settings(["method=lidar", *small], []))
    began = time.perf_counter()
    expected = state(run_cell(cell, tmp_path / "whole", lambda: None))
    pause = (time.perf_counter() - began) / len(cell.prompts)
    folders, kills = kill_at_random_moments(cell, tmp_path / "killed", 20, pause, 0)
    print(f"{len(cell.prompts)} prompts, {len(folders)} cells; recorded at each kill: {kills}")
    assert all(state(folder) == expected for folder in folders)
    assert len(set(kills)) > 10
