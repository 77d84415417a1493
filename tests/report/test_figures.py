"""Figures and the image grid of a synthetic results folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from matplotlib.figure import Figure
from PIL import Image
from synthetic import records_of

from bench.report import cost, gallery, quality, scaling, sections, style
from bench.report.document import Picture
from bench.report.evidence import gather
from bench.report.load import load
from bench.report.summary import summarize


def test_grid_takes_one_prompt_a_task_and_prefers_prompts_that_all_finished(folder: Path) -> None:
    path, records = records_of(folder, "ug")
    synthetic.write(path, records[1:])
    results = load(folder)
    chosen = gallery.choose(results, 6)
    assert {synthetic.TAGS[index % 6] for index in chosen} == set(synthetic.TAGS)
    assert chosen == [1, 2, 3, 4, 5, 6]  # 6 stands in for 0
    assert len(gallery.choose(results, 9)) == 9


def test_the_grid_shows_one_position_in_all_cells_and_not_always_the_first(folder: Path) -> None:
    results = load(folder)
    shown = gallery.one_a_prompt(results, range(24))
    assert len(shown) == len(results.prompts)
    positions = shown.position.groupby("index").unique()
    assert all(list(own) == [index % 4] for index, own in positions.items())
    assert set(shown.position) == {0, 1, 2, 3}


def test_grid_enlarges_by_whole_pixels_and_shows_a_missing_image_in_grey(folder: Path) -> None:
    results = load(folder)
    path = results.cells.path.iloc[0] / "images" / results.images.path.iloc[0]
    with Image.open(path) as small:
        enlarged = np.asarray(small).repeat(12, axis=0).repeat(12, axis=1)
    assert (np.asarray(gallery.square(gallery.small(path)[0])) == enlarged).all()
    path.unlink()
    assert gallery.square(gallery.small(path)[0]).getpixel((0, 0)) == gallery.GREY
    (grid,) = gallery.galleries(results)
    assert grid.sheet.width > 3 * gallery.SIDE


def test_a_grid_is_never_wider_than_a_page_and_no_method_is_lost(tmp_path: Path) -> None:
    for method in synthetic.EFFECTS:
        synthetic.cell(tmp_path, method, total=6)
    results = load(tmp_path)
    found = gallery.galleries(results)
    assert [grid.name for grid in found] == ["grid", "grid_2"]
    assert all(len(grid.columns) <= gallery.COLUMNS for grid in found)
    assert [label for grid in found for label in grid.columns] == list(results.cells.label)


def test_without_timings_quality_is_drawn_over_calls_and_controls_are_hollow(
    folder: Path,
) -> None:
    synthetic.cell(folder, "best_of_n")
    for path in (folder / "cells").iterdir():
        synthetic.write(path, [r | {"yardstick": None} for r in synthetic.read(path)])
    results = load(folder)
    summary = summarize(results)
    spent = cost.counted(results, summary).set_index("method").spent
    assert spent.to_dict() == {"vanilla": 1, "lidar": 1300 / 800, "ug": 1.5, "best_of_n": 1}
    ((_, _, figure),) = cost.by_target(results, summary, style.looks(summary))
    (axes,) = figure.axes
    assert "calls of the denoiser" in axes.get_xlabel()
    filled = {c.get_label(): c.lines[0].get_markerfacecolor() for c in axes.containers}
    assert [name for name, color in filled.items() if color == "white"] == ["best_of_n"]
    (dotted,) = (line for line in axes.lines if line.get_linestyle() == ":")
    assert set(dotted.get_ydata()) == {summary.set_index("method").geneval["vanilla"]}


def texts_in(figure: Figure) -> list:
    figure.canvas.draw()
    return [t for ax in figure.axes for t in ax.texts if t.get_text()]


DRAWN = {
    "cost": lambda results, summary, looks: cost.quality_vs_cost(
        results, cost.counted(results, summary), looks, {}
    ),
    "phases": lambda results, summary, looks: cost.phases(summary),
    "diversity": lambda results, summary, looks: quality.diversity(summary, "preference", looks),
}


@pytest.mark.parametrize("draw", DRAWN)
def test_figure_labels_stay_inside_and_apart(tmp_path: Path, draw: str) -> None:
    for method in synthetic.EFFECTS:
        synthetic.cell(tmp_path, method)
    results = load(tmp_path)
    summary = summarize(results)
    figure = DRAWN[draw](results, summary, style.looks(summary))
    boxes = [text.get_window_extent() for text in texts_in(figure)]
    assert len(boxes) >= 8
    frame = figure.bbox
    assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= frame.x1 and b.y1 <= frame.y1 for b in boxes)
    overlaps = [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert not overlaps


def test_points_of_one_cost_stand_side_by_side_and_timed_ones_stay() -> None:
    spent = pd.Series([1.0, 2.0, 2.0, 2.01, 2.0])
    frame = pd.DataFrame({"spent": spent, "spent.low": spent, "spent.high": spent})
    frame.loc[4, ["spent.low", "spent.high"]] = 1.9, 2.1
    frame["geneval"] = [0.5, 0.7, 0.6, 0.8, 0.9]
    moved = cost.beside(frame, "geneval").spent
    assert moved[0] == 1 and moved[4] == 2
    assert moved[2] < moved[1] == pytest.approx(2) and moved[1] < moved[3]
    assert moved[3] / spent[3] == pytest.approx(spent[2] / moved[2]) == cost.STEP


def test_hacking_draws_a_panel_for_geneval_and_each_judge(folder: Path) -> None:
    results = load(folder)
    summary = summarize(results)
    figure = quality.hacking(summary, results.scores, style.looks(summary))
    assert figure is not None
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "change of GenEval", "change of clip", "change of jpeg",
    ]  # fmt: skip
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"lidar", "ug"}


def test_a_full_set_of_cells_draws_every_figure(tmp_path: Path) -> None:
    synthetic.sweep(tmp_path)
    section = sections.figure_section(gather(load(tmp_path)))
    assert len(section.parts) == 6 and all(isinstance(part, Picture) for part in section.parts)


def test_curves_run_over_the_cells_that_differ_in_one_setting(tmp_path: Path) -> None:
    synthetic.sweep(tmp_path)
    results = load(tmp_path)
    summary = summarize(results)
    figure = scaling.scaling(results, summary, style.looks(summary))
    n, steps = figure.axes[:2]
    assert [float(t.get_text()) for t in n.get_xticklabels()] == [9, 50, 200]
    assert [float(t.get_text()) for t in steps.get_xticklabels()] == [3, 5, 10]
    [line] = [one for one in n.containers if one.get_label() == "lidar"]
    assert line.lines[0].get_ydata() == pytest.approx(
        [summary.geneval[f"lidar-n{value}"] for value in (9, 50, 200)]
    )


def test_a_figure_is_laid_out_once_for_all_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure, (axes,) = style.figure(4, 3)
    axes.plot([1, 2], [3, 4])
    engine = figure.get_layout_engine()
    assert engine is not None
    times, execute = [], engine.execute
    monkeypatch.setattr(engine, "execute", lambda fig: (times.append(1), execute(fig)))
    for suffix in ("pdf", "png"):
        style.save(figure, tmp_path / f"figure.{suffix}")
    assert len(times) == 1


def test_of_many_cells_the_bars_show_each_method_s_typical_one(tmp_path: Path) -> None:
    synthetic.cell(tmp_path, "vanilla", total=6, pictures=False)
    for n in range(2, sections.MOST_BARS + 2):
        method = synthetic.lidar(n=n)
        synthetic.cell(tmp_path, "lidar", name=f"n{n}", method=method, total=6, pictures=False)
    results = load(tmp_path)
    found = sections.figure_section(gather(results))
    (bars,) = [part for part in found.parts if isinstance(part, Picture) and part.name == "phases"]
    assert len(bars.figure.axes[0].get_yticks()) == 2
    assert "typical" in bars.caption


def test_where_cells_have_other_prompts_every_method_is_named_and_the_caption_says_so(
    tmp_path: Path,
) -> None:
    synthetic.cell(tmp_path, "vanilla", total=48, pictures=False)
    for n in range(style.CROWD):
        name, settings = f"lidar{n}", synthetic.lidar(n=10 + n)
        synthetic.cell(tmp_path, "lidar", name=name, total=48, pictures=False, method=settings)
    synthetic.cell(tmp_path, "ug", total=6, pictures=False)  # too few for a typical cell
    (picture,) = sections.cost_figures(gather(load(tmp_path)))
    assert "Not all cells have the same prompts" in picture.caption
    assert {"vanilla", "lidar", "ug"} <= {text.get_text() for text in texts_in(picture.figure)}
