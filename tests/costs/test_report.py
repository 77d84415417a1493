"""Costs alone: what is measured without a judge, how it is added up, what stands beside it."""

import json

import pandas as pd
import pytest

from bench.config.compose import cell_settings
from bench.report.costs.page import build
from bench.report.costs.read import cost_row, load
from bench.run.cells import run_cells
from bench.run.job import plan
from bench.store.schema import KINDS, PHASES

TINY = [
    "experiment=cost",
    "backbone=sdxl",
    "weights=tiny",
    "steps=3",
    "images=2",
    "prompts.limit=1",
]


def record(**changes):
    phases = {"prepare": 6.0, "annotate": 1.0, "denoise": 7.0, "decode": 2.0}
    calls = {p: dict.fromkeys(KINDS, 1) for p in PHASES}
    made = {"seconds": phases | {"other": 0.0, "total": 16.0}, "calls": calls, "device": "a GPU"}
    made |= {"yardstick": {"vanilla": 8.0, "method": 16.0}, "error": None}
    made |= {"memory": {"allocated": 2**31, "reserved": 2**32, "resident": 2**30}}
    return made | {"batch": {"images": 4, "denoiser": 64, "decoder": 4}} | changes


def settings(*overrides):
    return cell_settings(["backbone=sd15", "steps=100", *overrides], [])


def test_costs_are_means_over_prompts_and_ratios_of_sums():
    slower = record(yardstick={"vanilla": 4.0, "method": 20.0})
    slower["seconds"] = slower["seconds"] | {"annotate": 5.0, "total": 20.0}
    row = cost_row(settings("method=lidar"), [record(), slower])
    assert row["seconds"] == 18 and row["seconds.annotate"] == 3
    assert row["ratio"] == pytest.approx(36 / 12)
    assert (row["ratio.low"], row["ratio.high"]) == (2, 5)
    assert (row["memory.allocated"], row["memory.reserved"]) == (2, 4)
    assert row["calls.reward"] == len(PHASES) and row["batch"] == "4 / 64 / 4"


def test_the_paper_s_row_is_found_for_its_own_settings_alone():
    lidar = cost_row(settings("method=lidar"), [record()])
    assert lidar["published.seconds"] == 13.41
    assert lidar["published.ratio"] == pytest.approx(13.41 / 7.07)
    assert lidar["published.memory"] == 8.90
    date = cost_row(settings("method=date"), [record()])
    assert date["published.ratio"] == pytest.approx(32.89 / 7.07)
    for other in (
        ["method=date", "method.steer.embedding.every=1"],
        ["method=lidar", "method.efr.lookahead.n=49"],
        ["method=lidar", "steps=99"],
        ["method=rollout"],
    ):
        assert pd.isna(cost_row(settings(*other), [record()])["published.ratio"]), other


def test_the_cost_experiment_runs_to_its_report_at_toy_size(tmp_path):
    from hydra import compose, initialize_config_module

    with initialize_config_module("conf", version_base="1.3"):
        config = compose("config", overrides=TINY[:3])
    cells = plan(config, TINY)
    labels = [cell.method.name for cell in cells]
    assert labels == ["vanilla", "lidar", "ug", "fk_smc", "date", "date", "rollout"]
    from rich.console import Console

    run_cells(cells, tmp_path, Console(quiet=True))
    page = build(tmp_path).read_text()
    assert "random weights" in page and "memory is counted on GPUs alone" in page
    costs, notes = load(tmp_path)
    assert not notes and set(costs.weights) == {"tiny"}
    parts = costs[[f"seconds.{phase}" for phase in PHASES]].sum(axis=1)
    assert ((parts <= costs.seconds) & (parts > 0.8 * costs.seconds)).all()
    annotated = costs.set_index("label")["seconds.annotate"] > 0
    assert annotated["lidar"] and annotated.sum() == 1
    assert (tmp_path / "figures" / "costs.png").stat().st_size > 10_000
    assert "what methods cost" in (tmp_path / "report.html").read_text()


def test_failed_and_missing_prompts_are_said(tmp_path):
    from omegaconf import OmegaConf

    folder = tmp_path / "cells" / "vanilla-0"
    folder.mkdir(parents=True)
    own = settings("judge=none", "scores=[]") | {
        "cell": "vanilla-0",
        "experiment": "x",
        "code": "c",
    }
    own["prompts"] = {**own["prompts"], "total": 3}
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(own)))
    lines = [{"index": 0, **record()}, {"index": 1, "error": "no reward"}]
    (folder / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    page = build(tmp_path).read_text()
    assert "prompt 1 failed: no reward" in page and "partial: 1 of 3 prompts" in page
