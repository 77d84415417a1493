"""The report of a synthetic results folder: what is read, what is claimed, what is admitted."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
import synthetic

from bench.report import cost, grid, page, quality, style, table
from bench.report.__main__ import main
from bench.report.load import load
from bench.report.page import build
from bench.report.summary import summarize, tasks

PICTURES = ("geneval_vs_cost", "speedup", "tasks", "tradeoff", "grid")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for method in ("vanilla", "lidar", "ug"):
        synthetic.cell(tmp_path, method)
    return tmp_path


def records_of(folder: Path, method: str) -> tuple[Path, list[dict]]:
    path = folder / "cells" / f"{method}0123456789"
    return path, synthetic.read(path)


def test_build_writes_every_table_and_picture_and_links_them(folder: Path) -> None:
    text = build(folder).read_text()
    for name in PICTURES:
        assert f"({name}.png)" in text
        with Image.open(folder / f"{name}.png") as picture:
            assert min(picture.size) > 300
    assert "Complete: every cell has all its prompts" in text
    assert "lidar0123456789" in text.split("## Provenance")[1]
    assert (folder / "table.md").read_text() in text


def test_frames_agree_with_the_raw_records(folder: Path) -> None:
    _, raw = records_of(folder, "ug")
    results = load(folder)
    row = summarize(results).loc["ug0123456789"]
    by_tag = {t: [m for r in raw if r["tag"] == t for m in r["geneval"]] for t in synthetic.TAGS}
    assert row.geneval == pytest.approx(np.mean([np.mean(marks) for marks in by_tag.values()]))
    clip = np.mean([v for r in raw for v in r["scores"]["clip"]])
    assert row["score.clip"] == pytest.approx(clip)
    assert row.seconds == pytest.approx(np.median([r["seconds"]["total"] for r in raw]))
    timed = [r["yardstick"] for r in raw if r["yardstick"]]
    ratio = sum(y["method"] for y in timed) / sum(y["vanilla"] for y in timed)
    assert row.cost == pytest.approx(ratio)
    assert row["cost.prompts"] == len(timed) == 8
    assert row["cost.prepare"] + row["cost.denoise"] + row["cost.decode"] == pytest.approx(ratio)
    assert (row["calls.denoiser"], row["calls.denoiser_backward"]) == (800, 400)
    assert len(results.images) == 3 * 24 * 4


def test_planted_effects_come_out(folder: Path) -> None:
    summary = summarize(load(folder)).set_index("label")
    assert not summary.loc["lidar", "geneval.change.tie"]
    assert summary.loc["ug", "geneval.change.tie"]
    assert summary.loc["ug", "score.preference.change.low"] > 0
    assert summary.loc["ug", "score.clip.change.high"] < 0  # its reward up, the judge down
    assert summary.loc["ug", "lidar_speedup"] == pytest.approx(4, rel=0.1)
    assert summary.loc["vanilla", "cost"] == pytest.approx(1, abs=0.05)


def test_failed_and_unfinished_prompts_are_admitted_in_every_caption(folder: Path) -> None:
    path, records = records_of(folder, "lidar")
    records[4] = {"index": 4, "error": "out of memory"}
    synthetic.write(path, records[:-2])
    text = build(folder).read_text()
    assert text.count("lidar partial: 21 of 24 prompts (1 failed)") == 6  # 2 tables, 4 figures
    assert "compared with vanilla on 21 common prompts of 24" in text
    row = pd.read_csv(folder / "table.csv").set_index("label").loc["lidar"]
    assert (row.done, row.total, row.failed, row["geneval.change.prompts"]) == (21, 24, 1, 21)
    assert "| lidar \\* |" in (folder / "table.md").read_text()


def test_a_change_is_measured_on_the_common_prompts_only(folder: Path) -> None:
    path, records = records_of(folder, "lidar")
    synthetic.write(path, records[6:])
    _, vanilla = records_of(folder, "vanilla")
    for record in vanilla[:6]:  # would spoil a difference of the two means
        record["scores"]["clip"] = [100.0] * 4
    synthetic.write(records_of(folder, "vanilla")[0], vanilla)
    row = summarize(load(folder)).loc["lidar0123456789"]
    pairs = [
        np.mean(a["scores"]["clip"]) - np.mean(b["scores"]["clip"])
        for a, b in zip(records[6:], vanilla[6:], strict=True)
    ]
    assert row["score.clip.change"] == pytest.approx(np.mean(pairs))
    assert row["score.clip.change.prompts"] == 18


def test_a_prompt_short_of_an_image_shows_in_the_coverage(folder: Path) -> None:
    path, records = records_of(folder, "ug")
    for key in ("images", "geneval"):
        records[0][key].pop()
    for values in records[0]["scores"].values():
        values.pop()
    synthetic.write(path, records)
    assert load(folder).cells.coverage["ug0123456789"] == "partial: 95 of 96 images"


def test_a_torn_last_line_is_skipped_with_a_note(folder: Path) -> None:
    path, _ = records_of(folder, "ug")
    with (path / "records.jsonl").open("a") as file:
        file.write('{"index": 24, "pro')
    results = load(folder)
    assert len(results.of("ug0123456789")) == 24
    assert any("last line" in note for note in results.notes)


def test_a_corrupt_line_elsewhere_names_file_and_line(folder: Path) -> None:
    path, _ = records_of(folder, "ug")
    lines = (path / "records.jsonl").read_text().splitlines()
    (path / "records.jsonl").write_text("\n".join([*lines[:2], "{", *lines[3:]]))
    with pytest.raises(ValueError, match=r"records\.jsonl, line 3"):
        load(folder)


def test_a_prompt_that_failed_and_was_tried_again_counts_once(folder: Path) -> None:
    path, records = records_of(folder, "ug")
    synthetic.write(path, [{"index": 3, "error": "lost"}, *records])
    cell = load(folder).cells.loc["ug0123456789"]
    assert (cell.done, cell.failed, cell.coverage) == (24, 0, "")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: r[1].update(index=0), "prompt 0 is not the same text"),
        (lambda r: r[1].update(prompt="another"), "prompt 1 is not the same text"),
        (lambda r: r[1]["scores"].update(clip=[0.1, float("nan"), 0.1, 0.1]), "not a number"),
        (lambda r: r[0]["yardstick"].update(vanilla=0.0), "prompt 0: yardstick seconds"),
        (lambda r: r[1]["geneval"].pop(), "prompt 1: 4 images, but values for"),
        (lambda r: r[1].pop("calls"), "prompt 1: missing or malformed field 'calls'"),
        (lambda r: r.append(r[1] | {"index": 99}), "more prompts or images than the config"),
    ],
)
def test_records_that_make_no_sense_are_refused(folder: Path, spoil, message: str) -> None:
    path, records = records_of(folder, "ug")
    spoil(records)
    synthetic.write(path, records)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_two_guiding_rewards_in_one_folder_are_refused(folder: Path) -> None:
    synthetic.cell(folder, "smc", reward="clip")
    with pytest.raises(ValueError, match="2 different values of reward"):
        load(folder)


def test_variants_of_one_method_get_labels_that_tell_them_apart(tmp_path: Path) -> None:
    for n in (50, 200):
        settings = {"name": "lidar", "efr": {"lookahead": {"n": n, "steps": 5}}}
        synthetic.cell(tmp_path, "lidar", name=f"cell{n}", method=settings)
    synthetic.cell(tmp_path, "ug", name="first00", seed=0)
    synthetic.cell(tmp_path, "ug", name="second0", seed=1)
    synthetic.cell(tmp_path, "smc", name="aaaaaa00")
    synthetic.cell(tmp_path, "smc", name="bbbbbb00")
    synthetic.cell(tmp_path, "vanilla")
    results = load(tmp_path)
    assert results.cells.label.tolist() == [
        "vanilla", "lidar (n 50)", "lidar (n 200)", "smc [aaaa00]", "smc [bbbb00]",
        "ug (seed 0)", "ug (seed 1)",
    ]  # fmt: skip
    looks = style.looks(summarize(results))
    assert looks["lidar (n 50)"].color == looks["lidar (n 200)"].color
    assert len({look.marker for look in looks.values()}) == 7


def test_without_vanilla_or_yardstick_the_report_says_so(tmp_path: Path) -> None:
    path = synthetic.cell(tmp_path, "ug")
    synthetic.write(path, [r | {"yardstick": None} for r in synthetic.read(path)])
    (tmp_path / "speedup.png").write_bytes(b"of an earlier report")
    text = build(tmp_path).read_text()
    assert "no vanilla cell" in text
    assert "No figure “Plain cost”" in text
    assert not (tmp_path / "speedup.png").exists()
    assert not (tmp_path / "tradeoff.png").exists()


def test_lidar_without_a_yardstick_leaves_the_others_costs(folder: Path) -> None:
    path, records = records_of(folder, "lidar")
    synthetic.write(path, [record | {"yardstick": None} for record in records])
    summary = summarize(load(folder))
    figure = cost.plain_cost(summary, style.looks(summary))
    assert figure is not None
    [bars] = figure.axes
    assert [label.get_text() for label in bars.get_yticklabels()] == ["vanilla", "ug"]


def test_an_unfinished_cell_is_listed_but_not_in_the_tables(folder: Path) -> None:
    synthetic.write(synthetic.cell(folder, "smc"), [])
    results = load(folder)
    summary = summarize(results)
    assert "smc: partial: 0 of 24 prompts" in results.notes
    assert table.result_display(results, summary).method.tolist() == ["vanilla", "lidar", "ug"]
    assert page.provenance(results).prompts.tolist()[2] == "0 of 24"


def test_markdown_and_csv_survive_hostile_labels(folder: Path) -> None:
    label = "a|b [x](y) <i>,\n$1$"
    synthetic.cell(folder, "ug", name="hostile", method={"name": "ug", "x": label})
    results = load(folder)
    summary = summarize(results)
    table.write_csv(results, summary, tasks(results))
    rows = table.markdown(table.result_display(results, summary)).splitlines()
    unescaped = {row.replace("\\|", "").count("|") for row in rows}
    assert len(rows) == 2 + 4 and len(unescaped) == 1
    assert "&lt;i&gt;" in rows[-2] + rows[-1]
    with (folder / "table.csv").open(newline="") as file:
        assert f"ug (x {label})" in [row["label"] for row in csv.DictReader(file)]


def test_markdown_escapes_what_would_be_syntax() -> None:
    text = table.escape("_a_ *b* `c` | <d> & [e]\nf")
    assert text == r"\_a\_ \*b\* \`c\` \| &lt;d&gt; &amp; \[e\] f"


def test_tasks_average_to_the_headline(folder: Path) -> None:
    results = load(folder)
    means = tasks(results).groupby("cell").share.mean()
    assert means.to_dict() == pytest.approx(summarize(results).geneval.to_dict())


def test_grid_takes_one_prompt_a_task_and_prefers_prompts_that_all_finished(folder: Path) -> None:
    path, records = records_of(folder, "ug")
    synthetic.write(path, records[1:])
    results = load(folder)
    chosen = grid.choose(results, 6)
    assert {synthetic.TAGS[index % 6] for index in chosen} == set(synthetic.TAGS)
    assert chosen == [1, 2, 3, 4, 5, 6]  # 6 stands in for 0
    assert len(grid.choose(results, 9)) == 9


def test_grid_enlarges_by_whole_pixels_and_shows_a_missing_image_in_grey(folder: Path) -> None:
    results = load(folder)
    path = results.images.path.iloc[0]
    with Image.open(path) as small:
        enlarged = np.asarray(small).repeat(12, axis=0).repeat(12, axis=1)
    font = grid._font(12)
    assert (np.asarray(grid.tile(path, font)) == enlarged).all()
    path.unlink()
    assert grid.tile(path, font).getpixel((0, 0)) == grid.GREY
    assert grid.draw(results, grid.choose(results)).width > 3 * grid.TILE


def texts_in(figure: Figure) -> list:
    figure.canvas.draw()
    return [t for ax in figure.axes for t in ax.texts if t.get_text()]


@pytest.mark.parametrize("draw", ["geneval_vs_cost", "plain_cost"])
def test_figure_labels_stay_inside_and_apart(tmp_path: Path, draw: str) -> None:
    for method in synthetic.EFFECTS:
        synthetic.cell(tmp_path, method)
    summary = summarize(load(tmp_path))
    figure = getattr(cost, draw)(summary, style.looks(summary))
    boxes = [text.get_window_extent() for text in texts_in(figure)]
    assert len(boxes) >= 8
    frame = figure.bbox
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= frame.x1 and b.y1 <= frame.y1 for b in boxes)
    overlaps = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert not overlaps


def test_tradeoff_draws_a_panel_for_each_judge_and_diversity(folder: Path) -> None:
    results = load(folder)
    summary = summarize(results)
    figure = quality.tradeoff(summary, results.scores, style.looks(summary))
    assert figure is not None
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "change of clip", "change of jpeg", "change of diversity",
    ]  # fmt: skip
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"lidar", "ug"}


def test_two_reports_of_one_folder_agree(folder: Path) -> None:
    pd.testing.assert_frame_equal(summarize(load(folder)), summarize(load(folder)))


def test_command_prints_every_column_and_the_path(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main([str(folder)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(folder / "report.md")
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
        "import bench.report.page as p; p.build(pathlib.Path(sys.argv[1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'torch' not in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, cwd=root, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
