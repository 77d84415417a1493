"""Published figures: beside what was measured, in place of nothing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import synthetic

from bench.config.compose import cell_settings
from bench.config.defaults import changed
from bench.report import table
from bench.report.build import build
from bench.report.lidar import published as paper
from bench.report.load import load
from bench.report.summary import summarize


def sd15(folder: Path, method: str, *overrides: str) -> None:
    """A synthetic cell with the whole configuration of a cell of SD v1.5."""
    settings = cell_settings([f"method={method}", "backbone=sd15", "steps=100", *overrides], [])
    kept = ("method", "backbone", "solver", "steps", "images", "rewards")
    changes = {key: settings[key] for key in kept} | {"changed": changed(settings)}
    synthetic.cell(folder, method, name=f"{method}-{len(overrides)}", **changes)


def test_the_miniature_has_no_column_of_the_paper_s(swept: Path) -> None:
    results = load(swept)
    assert paper.columns(results.cells).columns.empty
    assert "paper's" not in (swept / "tables" / "results.md").read_text()


def test_published_figures_stand_beside_measured_ones(tmp_path: Path) -> None:
    sd15(tmp_path, "vanilla")
    sd15(tmp_path, "lidar")
    sd15(tmp_path, "lidar", "method.efr.lookahead.n=49")
    results = load(tmp_path)
    for config in results.cells.config:
        config["reward"] = "imagereward"  # as the paper's tables; the synthetic scores are others
    summary = summarize(results)
    measured = table.result_display(results, summary)
    shown = table.result_display(results, summary, published=paper.columns(results.cells))
    pd.testing.assert_frame_equal(shown[measured.columns], measured)
    added = shown.drop(columns=measured.columns)
    assert len(added.columns) and all(head.startswith("paper's") for head in added)
    ratio = dict(zip(shown["method"], shown["paper's cost / vanilla"], strict=True))
    assert ratio["vanilla"] == "1.00"
    assert ratio["lidar (n 50)"] == f"{13.41 / 7.07:.2f}"
    assert ratio["lidar (n 49)"] == table.NONE


def test_a_cell_without_a_measurement_stays_a_dash_beside_the_paper_s(tmp_path: Path) -> None:
    sd15(tmp_path, "vanilla")
    path = next((tmp_path / "cells").iterdir())
    synthetic.write(path, [r | {"yardstick": None} for r in synthetic.read(path)])
    build(tmp_path)
    [row] = pd.read_csv(tmp_path / "tables" / "results.csv").to_dict("records")
    assert pd.isna(row["cost"]) and row["paper.ratio"] == 1


def test_a_cell_that_lacks_what_the_paper_s_have_has_no_published_row() -> None:
    settings = cell_settings(["method=lidar", "backbone=sd15", "steps=100"], [])
    settings["changed"] = changed(settings)
    assert paper.published(settings) is not None
    smc = {**settings, "method": {"name": "fk_smc", "efr": {}, "steer": {"smc": {"mine": 1}}}}
    assert paper.published(smc) is None
    assert (
        paper.published({**settings, "method": {"name": "mine", "steer": {"best_of_n": 4}}}) is None
    )
    for key in settings:
        less = {k: v for k, v in settings.items() if k != key}
        assert paper.published(less) is None or key not in (
            "method",
            "backbone",
            "steps",
            "changed",
        )
