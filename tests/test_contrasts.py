"""Primary contrasts on the way from an experiment's file to the results folder."""

from pathlib import Path

import pytest

import bench.run.cells
from bench.config.compose import composed
from bench.errors import BenchError
from bench.run.cells import Done
from bench.run.job import plan, run
from bench.store.contrasts import is_of, parsed, read

EXPERIMENT = """# @package _global_
experiment_name: mine
prompts: {per_task: 1}
cells:
  - method=vanilla
  - method=lidar method.efr.lookahead.n=8,16
contrasts:
  LiDAR less vanilla: [method=lidar method.efr.lookahead.n=16, method=vanilla]
"""


@pytest.fixture
def mine(tmp_path: Path) -> list[str]:
    """A user's experiment with a contrast; the overrides that choose it."""
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(EXPERIMENT)
    search = f"hydra.searchpath=['{tmp_path / 'conf'}']"
    return ["experiment=mine", search, f"results={tmp_path}", "device=cpu"]


def edit(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "conf" / "experiment" / "mine.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_run_writes_its_contrasts_into_the_results_folder_before_its_cells(
    mine, tmp_path, monkeypatch
) -> None:
    seen = {}

    def cells(cells: object, results: Path, console: object) -> Done:
        seen.update(read(results))
        return Done([], [])

    monkeypatch.setattr(bench.run.cells, "run_cells", cells)
    assert run(composed(mine), mine).unreported  # nothing was sampled
    expected = ("method=lidar method.efr.lookahead.n=16", "method=vanilla")
    assert seen == {"LiDAR less vanilla": expected} == read(tmp_path / "mine")


def test_contrasts_are_no_part_of_a_cell(mine, tmp_path) -> None:
    before = [cell.settings for cell in plan(composed(mine), mine)]
    assert all("contrasts" not in settings for settings in before)
    edit(tmp_path, "LiDAR less vanilla", "another")
    assert [cell.settings for cell in plan(composed(mine), mine)] == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("n=16, method=vanilla]", "n=17, method=vanilla]", "names 0 of the 3 cells"),
        ("[method=lidar method.efr.lookahead.n=16,", "[method=lidar,", "names 2 of the 3 cells"),
        ("[method=lidar method.efr.lookahead.n=16,", "[method=vanilla,", "a cell with itself"),
        (", method=vanilla]", "]", "needs two sides"),
        (", method=vanilla]", ", vanilla]", "a side of .* is 'vanilla'"),
    ],
)
def test_a_contrast_that_names_no_pair_of_cells_is_refused_before_the_run(
    mine, tmp_path, old, new, message
) -> None:
    edit(tmp_path, old, new)
    with pytest.raises(BenchError, match=message):
        plan(composed(mine), mine)


def test_other_cells_on_the_command_line_leave_the_contrasts_as_they_were_declared(mine) -> None:
    assert len(plan(composed([*mine, "method=ug"]), [*mine, "method=ug"])) == 1


def test_a_line_names_cells_by_their_settings() -> None:
    settings = {"method": {"name": "own", "steer": {"n": 2, "joint": True}}, "seed": 0}
    assert is_of("method=own method.steer.joint=true seed=0", settings)
    assert is_of("method.name=own method.steer.n=2", settings)
    assert not is_of("method=own method.steer.n=3", settings)
    assert not is_of("method=own method.steer.m=2", settings)
    with pytest.raises(BenchError, match="contrasts"):
        parsed(["method=own"])
