"""The report of a synthetic results folder: what is claimed, what is admitted, what is written."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import synthetic
from PIL import Image
from synthetic import records_of

from bench.report import cost, table
from bench.report.__main__ import main
from bench.report.build import build
from bench.report.load import load
from bench.report.summary import summarize, tasks

PICTURES = ("geneval_vs_cost", "phases", "tasks", "hacking", "diversity", "grid")
TABLES = ("verdicts", "criteria", "results", "tasks", "controls", "break_even", "costs")


def test_build_writes_every_table_and_picture_and_links_them(folder: Path) -> None:
    synthetic.cell(folder, "best_of_n")
    text = build(folder).read_text()
    for name in PICTURES:
        assert f"(figures/{name}.png)" in text
        with Image.open(folder / "figures" / f"{name}.png") as picture:
            assert min(picture.size) > 300
    for name in PICTURES[:-1]:
        assert (folder / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    for name in (*TABLES, "provenance"):
        for suffix in ("csv", "md", "tex"):
            assert f"(tables/{name}.{suffix})" in text
            assert (folder / "tables" / f"{name}.{suffix}").stat().st_size > 0
    assert "Not here: speedups (LiDAR and another method were not both swept" in text
    assert "- coverage: complete" in text
    assert "lidar0123456789" in text.split("## Provenance")[1]
    assert "[lidar](cells/lidar0123456789/records.jsonl)" in text


def test_vanilla_alone_is_no_control_of_more_steps(folder: Path, undrawn: None) -> None:
    assert "controls (no timed Best-of-N" in build(folder).read_text()


def test_planted_effects_come_out(folder: Path) -> None:
    summary = summarize(load(folder)).set_index("label")
    assert not table.difference(summary.loc["lidar"]).startswith("tie")
    assert table.difference(summary.loc["ug"]).startswith("tie")
    assert summary.loc["ug", "score.preference.change.low"] > 0
    assert summary.loc["ug", "score.clip.change.high"] < 0  # its reward up, the judge down
    assert summary.loc["ug", "lidar_speedup"] == pytest.approx(4, rel=0.1)
    assert summary.loc["vanilla", "cost"] == pytest.approx(1, abs=0.05)


def test_without_vanilla_or_yardstick_the_report_says_so(tmp_path: Path) -> None:
    path = synthetic.cell(tmp_path, "ug")
    synthetic.write(path, [r | {"yardstick": None} for r in synthetic.read(path)])
    figures = tmp_path / "figures"
    figures.mkdir()
    (figures / "phases.png").write_bytes(b"of an earlier report")
    text = build(tmp_path).read_text()
    assert "no vanilla cell" in text
    assert re.search(r"No figure, for lack of .*: .*Cost by phase", text)
    assert not (figures / "phases.png").exists()
    assert not (figures / "hacking.png").exists()


def test_lidar_without_a_yardstick_leaves_the_others_costs(folder: Path) -> None:
    path, records = records_of(folder, "lidar")
    synthetic.write(path, [record | {"yardstick": None} for record in records])
    summary = summarize(load(folder))
    figure = cost.phases(summary)
    assert figure is not None
    [bars] = figure.axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ["vanilla", "ug"]


def test_tasks_average_to_the_headline(folder: Path) -> None:
    results = load(folder)
    means = tasks(results).groupby("cell").share.mean()
    assert means.to_dict() == pytest.approx(summarize(results).geneval.to_dict())


def test_two_reports_of_one_folder_agree(folder: Path) -> None:
    pd.testing.assert_frame_equal(summarize(load(folder)), summarize(load(folder)))


def test_command_prints_every_column_and_the_path(
    folder: Path, undrawn: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [str(folder / "report.html"), str(folder / "report.md")]
    [row] = [line for line in lines if line.startswith("lidar ")]
    assert row.endswith("2.00×  1300 / 0")
    assert len(row.split()) == 14  # ten columns; an interval is three words, so are the calls


def test_a_folder_without_cells_is_one_clear_line_and_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"no cells in {tmp_path}")
    assert captured.err.count("\n") == 1 and not captured.out


def test_report_leaves_pyplot_alone_and_help_loads_no_heavy_library(folder: Path) -> None:
    code = (
        "import sys, bench.report.__main__ as m, pathlib\n"
        "assert not {'matplotlib', 'pandas', 'numpy'} & set(sys.modules)\n"
        "import bench.report.build as p; p.build(pathlib.Path(sys.argv[1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("prompts", [1, 6])
def test_one_prompt_a_task_gives_estimates_without_intervals(tmp_path: Path, prompts: int) -> None:
    for method in ("vanilla", "lidar"):
        synthetic.cell(tmp_path, method, total=prompts)
    text = build(tmp_path).read_text()
    assert not re.search(r"\bnan\b", text)
    summary = summarize(load(tmp_path))
    row = summary[summary.method == "lidar"].iloc[0]
    assert table.spread(row, "geneval") == f"{row.geneval:.3f} [–]"
    assert "tie" not in table.difference(row)
    assert tasks(load(tmp_path))[["low", "high"]].notna().all(axis=None)


def test_a_report_cut_off_leaves_the_old_one_whole_and_the_next_clears_up(
    folder: Path, undrawn: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(folder)
    before = {path: path.read_bytes() for path in folder.glob("tables/*")}
    stale = folder / "tables" / "older.csv"
    stale.write_text("left by another report")
    note = folder / "tables" / "note.txt"
    note.write_text("a user's")

    def cut_off(*_: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bench.report.markdown.render", cut_off)
        with pytest.raises(KeyboardInterrupt):
            build(folder)
    assert {path: path.read_bytes() for path in before} == before
    build(folder)
    assert not stale.exists() and note.exists()
    assert not list(folder.glob(".partial*"))
