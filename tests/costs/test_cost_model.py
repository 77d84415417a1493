"""experiment=cost_model: calls without computing, and ratios near those that the paper measured."""

import pandas as pd
import pytest
from calls import expected

from bench.backbones import load_backbone
from bench.config.cell import make_cell
from bench.config.compose import cell_settings, composed, groups
from bench.errors import BenchError
from bench.run.counted import calls_of
from bench.run.job import plan, run
from methods.method import Method
from tests.small import STILL, STUDENTS

ELSEWHERE = ("exact", "exact_smc", "probe", "pair", "lidar_tokens", "cfg_zero")
METHODS = [m for m in groups()["method"] if m not in (*ELSEWHERE, *STUDENTS)]


@pytest.mark.parametrize("name", METHODS)
def test_models_that_compute_nothing_are_called_as_often_as_others(name):
    solver = "ddim" if name in STILL else "ddpm"
    small = ["method.steer.dno.iterations=2"] if name == "dno" else []
    overrides = ["backbone=sd15", "weights=tiny", f"method={name}", f"solver={solver}", *small]
    cell = make_cell(cell_settings([*overrides, "judge=none", "scores=[]", "steps=100"], []))
    phases = calls_of(cell, cell.method).values()
    found = {kind: sum(own[kind] for own in phases) for kind in next(iter(phases))}
    steps = 100 * cell.method.steps_factor
    backbone = load_backbone(cell.backbone, "cpu", cell.solvers)[0]
    fractions = [level.fraction for level in backbone.solver(solver, steps).levels]
    formula = expected(cell.method, 4, steps, e=2, fractions=fractions)
    if "rollout" in cell.method.estimators:  # its last levels have none between them here
        assert 0.97 * formula["denoiser"] < found["denoiser"] <= formula["denoiser"]
    else:
        assert found == {kind: formula[kind] for kind in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    results = tmp_path_factory.mktemp("cost_model")
    cells = '["method=vanilla,ug,date,lidar","method=lidar method.efr.lookahead.n=9"]'
    own = [f"cells={cells}", "cost_model.pixels=[1]", "cost_model.n=[9,50,800]"]
    overrides = ["experiment=cost_model", "backbone=sd15", f"results={results}", *own]
    run(composed(overrides), overrides)
    return results / "cost_model_sd15"


def test_the_papers_ratios_on_sd15_come_out_within_a_tenth(folder):
    found = pd.read_csv(folder / "tables" / "predicted.csv").set_index("label")
    assert len(found) == 4
    assert ((found.roofline / found.paper - 1).abs() < 0.1).all()
    # Plain operations miss what the float32 reward costs.
    assert found.flops["ug"] < 0.7 * found.paper["ug"]
    assert found.peaks["ug"] == pytest.approx(8.06, abs=0.02)
    own = pd.read_csv(folder / "tables" / "sensitivity.csv").set_index("method")
    assert own["TF32 products"]["ug"] < 6.5 < own["roofline"]["ug"]


def test_seconds_are_fitted_on_vanilla_alone(folder):
    costs = pd.read_csv(folder / "tables" / "costs.csv").set_index("label")
    assert costs["seconds.a100"]["vanilla"] == pytest.approx(7.07)
    assert costs["seconds.h100"]["vanilla"] < costs["seconds.a100"]["vanilla"]
    parts = costs[[c for c in costs if c.startswith("phase.")]].sum(axis=1)
    assert parts.to_dict() == pytest.approx(costs["TFLOP"].to_dict())


def test_lidars_cost_over_n_meets_its_cells_and_its_target_hardly_grows(folder):
    grown = pd.read_csv(folder / "tables" / "by_n.csv").set_index("n")
    costs = pd.read_csv(folder / "tables" / "costs.csv").set_index("label")
    assert grown.flops[50] == pytest.approx(costs.flops["lidar (n 50)"])
    assert grown.flops[9] == pytest.approx(costs.flops["lidar (n 9)"])
    assert grown.guidance[800] < 0.01


def test_the_report_says_what_it_assumes(folder):
    page = (folder / "report.md").read_text()
    for words in ("nothing here was timed", "partly luck", "TF32", "data sheet", "fitted on"):
        assert words in page
    assert (folder / "report.html").exists() and (folder / "figures" / "predicted.png").exists()


@pytest.mark.slow
def test_the_methods_compose_where_noise_is_a_solver_of_its_own():
    overrides = ["experiment=cost_model", "backbone=flux_dev"]
    cells = plan(composed(overrides), overrides)
    assert {c.method.name for c in cells} >= {"vanilla", "lidar", "ug", "date", "fk_smc", "dno"}
    assert Method("vanilla") == cells[0].method


def test_a_backbone_without_a_known_architecture_is_refused(tmp_path):
    overrides = [
        "experiment=cost_model",
        "backbone=miniature",
        "weights=null",
        f"results={tmp_path}",
    ]
    own = [*overrides, 'cells=["method=vanilla"]']
    with pytest.raises(BenchError, match="knows the true sizes of sd15"):
        run(composed(own), own)
