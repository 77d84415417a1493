"""Folders whose cells cannot share a report, and reports on some of a folder's cells."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import synthetic

from bench.report.__main__ import main
from bench.report.build import build

NONE = {"name": "none", "kind": "none"}
PROMPTS = {"source": "geneval", "n": 100, "seed": 43, "total": 6}


def cell(folder: Path, method: str, number: int, **changes) -> None:
    changes = {"prompts": PROMPTS} | changes
    synthetic.cell(folder, method, name=f"{method}-{number}", total=6, pictures=False, **changes)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    for method in ("vanilla", "lidar", "ug"):
        cell(tmp_path, method, 0)
    cell(tmp_path, "lidar", 1, judge=NONE)
    cell(tmp_path, "vanilla", 2, prompts=PROMPTS | {"seed": 44})
    cell(tmp_path, "date", 2, prompts=PROMPTS | {"seed": 44})
    return tmp_path


def commands(said: str) -> list[list[str]]:
    lines = [line.split("python -m bench.report ")[1:] for line in said.splitlines()]
    return [shlex.split(command) for line in lines for command in line]


def test_cells_that_cannot_share_a_report_are_told_apart_each_with_its_command(mixed: Path) -> None:
    with pytest.raises(ValueError, match="cells that cannot share a report") as refused:
        build(mixed)
    said = str(refused.value)
    assert "judge.name none, prompts.seed 43: 1 cell (lidar-1)" in said
    assert "judge.name unknown, prompts.seed 44: 2 cells (date-2, vanilla-2)" in said
    assert commands(said) == [
        [str(mixed), "--only", "lidar-0", "ug-*", "vanilla-0"],
        [str(mixed), "--only", "date-*", "vanilla-2"],
        [str(mixed), "--only", "lidar-1"],
    ]


def test_the_command_that_is_named_makes_the_report_of_its_cells(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(mixed)]) == 2
    first, *_ = commands(capsys.readouterr().err)
    assert main(first) == 0
    table = (mixed / "tables" / "results.md").read_text()
    assert "| ug" in table and "| date" not in table


def test_a_pattern_that_matches_no_cell_is_refused(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(mixed), "--only", "ug-*", "rollout-*"]) == 2
    said = capsys.readouterr().err
    assert f"no cell of {mixed} matches rollout-*: it holds date-2, lidar-0" in said


def test_a_config_that_is_no_yaml_is_one_line_that_names_it(
    mixed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = mixed / "cells" / "ug-0" / "config.yaml"
    path.write_text("backbone: {name: [\n")
    assert main([str(mixed)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{path} cannot be read: ") and said.count("\n") == 1
