"""The ground truth at toy size: cells on disk, tables, figures, findings."""

import json

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from rich.console import Console

from bench.report.build import build
from bench.report.truth import figures, findings
from bench.report.truth.curves import averaged
from bench.report.truth.read import PERFECT, load, probed
from bench.report.truth.worlds import MIXTURE
from bench.run.cells import run_cells
from bench.run.job import plan
from bench.store.records import read_records

TOY = ["experiment=ground_truth", "images=24", "steps=8", "prompts.n=1"]
LINES = [
    "method=vanilla,exact,fk_smc backbone.dimension=2,3",
    "method=lidar method.efr.lookahead.n=8,16,32 backbone.dimension=2,3",
    "method=probe target_scale=0.5,1,2 method.efr.lookahead.n=8",
    "method=probe target_scale=0.5,1,2 efr@method.efr=[exact,tweedie]",
    "method=probe method.efr.lookahead.n=4,8,16 method.efr.lookahead.solver=ddim",
    "method=probe method.efr.lookahead.n=16 method.efr.lookahead.steps=2,3,4",
    "method=probe backbone.dimension=2,3,4 efr@method.efr=[exact,tweedie]",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    results = tmp_path_factory.mktemp("truth") / "ground_truth"
    cells = plan(OmegaConf.create({"cells": LINES}), TOY)
    run_cells(cells, results, Console(quiet=True))
    build(results)
    return results


def test_a_cell_keeps_its_points_and_measures_them(folder):
    cell, other = folder.glob("cells/exact-*")
    records = read_records(cell / "records.jsonl").by_index
    assert len(records) == 2
    shapes = {np.load(next(c.glob("images/*/samples.npy"))).shape for c in (cell, other)}
    assert shapes == {(24, 2), (24, 3)}
    for record in records.values():
        points = np.load(cell / "images" / record.images[0])
        assert points.dtype == np.float64
        assert set(record.distance) == {
            name + end for name in ("w2", "mmd", "modes") for end in ("", "_floor", "_perfect")
        }
        assert record.calls["denoise"]["denoiser"] == 24 * 8
        metadata = json.loads((cell / "images" / f"{record.index:05d}/metadata.jsonl").read_text())
        assert metadata["prompt"] == record.prompt


def test_a_finished_cell_is_not_run_again_and_a_lost_file_is_made_anew(folder):
    cells = plan(OmegaConf.create({"cells": ["method=exact"]}), TOY)
    (cell,) = [
        c
        for c in folder.glob("cells/exact-*")
        if "dimension: 2\n" in (c / "config.yaml").read_text()
    ]
    before = (cell / "records.jsonl").read_bytes()
    run_cells(cells, folder, Console(quiet=True))
    assert (cell / "records.jsonl").read_bytes() == before
    lost = next(iter(cell.glob("images/*/samples.npy")))
    kept = lost.read_bytes()
    lost.unlink()
    run_cells(cells, folder, Console(quiet=True))
    assert lost.read_bytes() == kept


def test_the_report_holds_its_table_findings_and_figures(folder):
    page = (folder / "report.md").read_text()
    table = pd.read_csv(folder / "tables" / "methods.csv")
    methods = {"vanilla", "exact", "fk_smc", "lidar", PERFECT}
    assert len(table) == 7 and set(table.method) == methods
    figures = ("knobs", "methods_by_dimension", "efr_error", "dimension", "convergence", "samples")
    for name in figures:
        assert (folder / "figures" / f"{name}.png").stat().st_size > 0
        assert f"(figures/{name}.png)" in page
    html = (folder / "report.html").read_text()
    assert html.count('<figure class="plot"') == 6 and "theorem 3.5" in html
    errors = pd.read_csv(folder / "tables" / "estimators.csv")
    assert set(errors.estimator) == {"lookahead", "tweedie"}
    assert "theorem 3.5" in page and "claim 4" in page and "in 4" in page
    sized = pd.read_csv(folder / "tables" / "by_dimension.csv")
    assert set(sized.label) == set(table.label) and set(sized["size"]) == {2, 3}


def test_a_setting_is_one_row_over_all_its_problems_by_their_geometric_mean(folder):
    table = pd.read_csv(folder / "tables" / "methods.csv").set_index("method")
    cells = list(folder.glob("cells/exact-*"))
    assert len(cells) == 2 and table.problems["exact"] == 4
    records = [r for c in cells for r in read_records(c / "records.jsonl").by_index.values()]
    for method, end in (("exact", ""), (PERFECT, "_perfect")):
        ratios = [r.distance["w2" + end] / r.distance["w2_floor"] for r in records]
        assert table.w2[method] == pytest.approx(np.exp(np.mean(np.log(ratios))))
        assert table["w2.least"][method] == pytest.approx(min(ratios))
    assert table.gap["vanilla"] == pytest.approx(-1) and np.isnan(table.gap[PERFECT])


def test_probes_are_averaged_over_problems_by_their_geometric_mean(folder):
    (truth,) = load(folder)
    errors = averaged(probed(truth.probes))
    own = errors[(errors.estimator == "tweedie") & (errors.scale == 2) & (errors.dimension == 2)]
    (cell,) = [
        c for c in folder.glob("cells/probe-*")
        if "target_scale: 2\n" in (text := (c / "config.yaml").read_text()) and "tweedie" in text
    ]  # fmt: skip
    records = read_records(cell / "records.jsonl").by_index.values()
    found = [r.info["probe"] for r in records]
    values = [np.mean(p["value"]["tweedie"]) for p in found]
    shifts = [(sum(p["shift"]["tweedie"]) / sum(p["reference"])) ** 0.5 for p in found]
    for name, each in (("value", values), ("shift", shifts)):
        assert float(own[name].iloc[0]) == pytest.approx(np.exp(np.mean(np.log(each))))


def test_without_probes_or_without_samplers_the_report_says_so(folder, tmp_path):
    names = [c.name for c in folder.glob("cells/*")]
    sampling = [n for n in names if not n.startswith("probe")]
    copy = tmp_path / "ground_truth"
    copy.symlink_to(folder)
    page = build(copy, only=sampling).read_text()
    assert "lack of such cells: Estimators against λ" in page and "theorem" not in page
    page = build(copy, only=[n for n in names if n.startswith("probe")]).read_text()
    assert (
        "lack of such cells: Knobs, Methods against the dimension, Samples" in page
        and "theorem 3.5" in page
    )
    build(folder)


def test_cells_with_and_without_a_known_target_do_not_share_a_report(folder, tmp_path):
    for name, judge in (("a-0", "truth"), ("b-0", "miniature")):
        cell = tmp_path / "cells" / name
        cell.mkdir(parents=True)
        (cell / "config.yaml").write_text(f"judge: {{kind: {judge}}}\n")
    with pytest.raises(ValueError, match="cells that cannot share a report"):
        build(tmp_path)


def test_empty_frames_say_and_draw_nothing():
    empty = pd.DataFrame()
    assert list(findings.samplers(empty, empty, MIXTURE)) == []
    assert list(findings.estimators(empty, MIXTURE)) == []
    assert figures.against_scale(empty) is None and figures.convergence(empty) is None
