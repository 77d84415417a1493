"""The ground truth at toy size: cells on disk, tables, figures, findings."""

import json

import numpy as np
import pandas as pd
import pytest
from omegaconf import OmegaConf
from rich.console import Console

from bench.report.build import build
from bench.report.truth import figures
from bench.report.truth.curves import slope
from bench.report.truth.findings import findings
from bench.report.truth.read import load, probed
from bench.report.truth.worlds import MIXTURE
from bench.run.cells import run_cells
from bench.run.job import plan
from bench.store.records import read_records

TOY = ["experiment=ground_truth", "images=24", "steps=8", "prompts.n=1"]
LINES = [
    "method=vanilla,exact,fk_smc",
    "method=lidar method.efr.lookahead.n=8,16",
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
    (cell,) = folder.glob("cells/exact-*")
    records = read_records(cell / "records.jsonl").by_index
    assert len(records) == 2
    for record in records.values():
        points = np.load(cell / "images" / record.images[0])
        assert points.shape == (24, 2) and points.dtype == np.float64
        assert set(record.distance) == {
            *("w2", "w2_floor", "mmd", "mmd_floor", "modes", "modes_floor")
        }
        assert record.calls["denoise"]["denoiser"] == 24 * 8
        metadata = json.loads((cell / "images" / f"{record.index:05d}/metadata.jsonl").read_text())
        assert metadata["prompt"] == record.prompt


def test_a_finished_cell_is_not_run_again_and_a_lost_file_is_made_anew(folder):
    cells = plan(OmegaConf.create({"cells": ["method=exact"]}), TOY)
    (cell,) = folder.glob("cells/exact-*")
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
    assert len(table) == 5 and set(table.method) == {"vanilla", "exact", "fk_smc", "lidar"}
    for name in ("efr_error", "dimension", "convergence", "samples"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 0
        assert f"(figures/{name}.png)" in page
    html = (folder / "report.html").read_text()
    assert html.count('<figure class="plot"') == 4 and "theorem 3.5" in html
    errors = pd.read_csv(folder / "tables" / "estimators.csv")
    assert set(errors.estimator) == {"lookahead", "tweedie"}
    assert "theorem 3.5" in page and "claim 4" in page and "in 4" in page
    row = table[table.method == "exact"].iloc[0]
    records = read_records(folder / "cells" / row.cell / "records.jsonl").by_index
    distances = [record.distance for record in records.values()]
    assert row.w2 == pytest.approx(np.mean([d["w2"] / d["w2_floor"] for d in distances]))


def test_probes_are_summed_over_problems(folder):
    (truth,) = load(folder)
    errors = probed(truth.probes)
    own = errors[(errors.estimator == "tweedie") & (errors.scale == 2) & (errors.dimension == 2)]
    (cell,) = [
        c for c in folder.glob("cells/probe-*")
        if "target_scale: 2\n" in (text := (c / "config.yaml").read_text()) and "tweedie" in text
    ]  # fmt: skip
    records = read_records(cell / "records.jsonl").by_index.values()
    found = [r.info["probe"] for r in records]
    value = np.mean([v for p in found for v in p["value"]["tweedie"]])
    gap = sum(sum(p["shift"]["tweedie"]) for p in found)
    size = sum(sum(p["reference"]) for p in found)
    assert float(own.value.iloc[0]) == pytest.approx(value)
    assert float(own["shift"].iloc[0]) == pytest.approx((gap / size) ** 0.5)


def test_without_probes_or_without_samplers_the_report_says_so(folder, tmp_path):
    names = [c.name for c in folder.glob("cells/*")]
    sampling = [n for n in names if not n.startswith("probe")]
    copy = tmp_path / "ground_truth"
    copy.symlink_to(folder)
    page = build(copy, only=sampling).read_text()
    assert "lack of such cells: Estimators against λ" in page and "theorem" not in page
    page = build(copy, only=[n for n in names if n.startswith("probe")]).read_text()
    assert "lack of such cells: Samples" in page and "theorem 3.5" in page
    build(folder)


def test_cells_with_and_without_a_known_target_do_not_share_a_report(folder, tmp_path):
    for name, judge in (("a-0", "truth"), ("b-0", "miniature")):
        cell = tmp_path / "cells" / name
        cell.mkdir(parents=True)
        (cell / "config.yaml").write_text(f"judge: {{kind: {judge}}}\n")
    with pytest.raises(ValueError, match="cells that cannot share a report"):
        build(tmp_path)


def test_slope_and_empty_frames():
    assert slope([1, 10, 100], [5, 0.5, 0.05]) == pytest.approx(-1)
    empty = pd.DataFrame()
    assert list(findings(empty, empty, MIXTURE)) == []
    assert figures.against_scale(empty) is None and figures.convergence(empty) is None
