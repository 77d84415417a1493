"""Figures and the image grid of a synthetic results folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import synthetic
from matplotlib.figure import Figure
from PIL import Image
from synthetic import records_of

from bench.report import cost, grid, quality, style
from bench.report.load import load
from bench.report.summary import summarize


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
