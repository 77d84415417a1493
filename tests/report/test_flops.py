"""Floating-point operations as an axis of every report: counted with a cell, read from a folder."""

import pytest
import synthetic

import bench
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.report.build import build
from bench.report.load import load
from bench.report.summary import summarize
from bench.run.cells import run_cell
from bench.store.config import read_config, write_config

SMALL = ["method=ug", "steps=2", "images=1", "prompts.per_task=1", "prompts.limit=1"]


def without(folder, key):
    """The folder's cells as a version that did not know ``key`` wrote them."""
    for path in folder.glob("cells/*/config.yaml"):
        config = read_config(path)
        write_config(path, {k: v for k, v in config.items() if k not in (key, "seal")})


def test_a_cell_knows_its_operations_and_its_images_theirs(tmp_path):
    cell = make_cell(cell_settings(SMALL, []))
    folder = run_cell(cell, tmp_path, lambda: None)
    each = read_config(folder / "config.yaml")["flops"]
    (row,) = bench.load(folder).to_dict("records")
    assert row["calls.denoiser_backward"] and row["calls.reward_backward"]
    assert row["flops"] == sum(row[f"calls.{kind}"] * each[kind] for kind in each)
    # A UNet of 64 to 128 channels on latents of 16 x 16: about a GFLOP.
    assert 1e8 < each["denoiser"] < 1e10


def test_points_have_no_network_to_count(tmp_path):
    own = ["backbone=mixture", "method=vanilla", "steps=2", "images=20", "prompts.limit=1"]
    folder = run_cell(make_cell(cell_settings(own, [])), tmp_path, lambda: None)
    assert "flops" not in read_config(folder / "config.yaml")
    assert bench.load(folder)["flops"].isna().all()


@pytest.fixture
def folder(tmp_path):
    for method in ("vanilla", "lidar", "ug"):
        synthetic.cell(tmp_path, method, pictures=False)
    return tmp_path


def test_costs_are_told_in_operations_beside_seconds(folder):
    each = synthetic.FLOPS
    summary = summarize(load(folder)).set_index("label")
    vanilla = 800 * each["denoiser"] + 4 * each["decode"]
    lidar = vanilla + 500 * each["denoiser"] + 50 * (each["decode"] + each["reward"])
    assert summary.flops["vanilla"] == vanilla and summary.flops["lidar"] == lidar
    assert summary.work["lidar"] == pytest.approx(lidar / vanilla)


def test_a_folder_without_operations_still_reports(folder, undrawn):
    without(folder, "flops")
    assert summarize(load(folder)).flops.isna().all()
    build(folder)
    assert "| TFLOP |" not in (folder / "report.md").read_text()
    assert bench.load(folder)["flops"].isna().all()


def test_what_is_not_counted_makes_no_total_of_the_rest(folder):
    path = next(folder.glob("cells/ug*/config.yaml"))
    config = {k: v for k, v in read_config(path).items() if k != "seal"}
    known = {k: v for k, v in config["flops"].items() if not k.startswith("reward")}
    write_config(path, config | {"flops": known})
    assert bench.load(folder).groupby("method")["flops"].first().isna().to_dict() == {
        "lidar": False, "ug": True, "vanilla": False,
    }  # fmt: skip
