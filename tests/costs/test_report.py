"""Costs alone: what is measured without a judge, and how the report decomposes it."""

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench.report.build import build
from bench.run.cells import run_cells
from bench.run.job import plan
from bench.run.memory import RESET
from bench.store.frames import read
from bench.store.schema import PHASES

TINY = [
    "experiment=cost",
    "backbone=sdxl",
    "weights=tiny",
    "steps=3",
    "images=2",
    "prompts.limit=1",
]


def test_the_cost_experiment_runs_to_its_report_at_toy_size(tmp_path):
    from hydra import compose, initialize_config_module

    with initialize_config_module("conf", version_base="1.3"):
        config = compose("config", overrides=TINY[:3])
    cells = plan(config, TINY)
    labels = [cell.method.name for cell in cells]
    assert labels == ["vanilla", "lidar", "ug", "fk_smc", "date", "date", "rollout"]
    run_cells(cells, tmp_path, Console(quiet=True))
    page = build(tmp_path).read_text()
    assert "random weights" in page
    assert ("memory was not counted" in page) == (not RESET.exists())
    assert "no GenEval: costs alone" in page and "GenEval by task" not in page
    costs = pd.read_csv(tmp_path / "tables" / "costs.csv").set_index("label")
    parts = costs[[f"seconds.{phase}" for phase in PHASES]].sum(axis=1)
    total = costs["seconds.total"]
    assert ((parts <= total) & (parts > 0.8 * total)).all()
    target = costs["seconds.denoise"] + costs["seconds.decode"]
    assert np.allclose(costs["seconds.target"], target)
    annotated = costs["seconds.annotate"] > 0
    assert annotated["lidar"] and annotated.sum() == 1
    frames = read(tmp_path)
    prompts = frames.prompts.set_index("cell")
    ratios = prompts["yardstick.method"] / prompts["yardstick.vanilla"]
    for cell, label in frames.cells.label.items():
        assert costs.cost[label] == pytest.approx(ratios[cell])
    held = prompts[[f"memory.{kind}" for kind in ("allocated", "target", "resident", "vanilla")]]
    assert (held.notna() == RESET.exists()).all(axis=None)
    assert (tmp_path / "figures" / "phases.png").stat().st_size > 10_000
