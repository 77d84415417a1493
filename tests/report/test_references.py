"""Which vanilla cell each cell is compared with."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from bench.report.load import load
from bench.report.notes import compared_with, notes
from bench.report.summary import summarize


@pytest.fixture
def solvers(tmp_path: Path) -> Path:
    """Vanilla and LiDAR by two target solvers, of which ddpm has more cells; another's UG."""
    for solver, right in (("ddpm", 0.2), ("ddim", 0.8)):
        effect = (right, 0.0, 0.0, 0.3, 1.0)
        synthetic.cell(tmp_path, "vanilla", name=f"vanilla-{solver}", effect=effect, solver=solver)
        synthetic.cell(tmp_path, "lidar", name=f"lidar-{solver}", solver=solver)
    synthetic.cell(tmp_path, "date", name="date", solver="ddpm")
    synthetic.cell(tmp_path, "ug", name="ug", solver="dpm")
    return tmp_path


def test_each_cell_is_compared_with_vanilla_of_its_own_solver(solvers: Path) -> None:
    results = load(solvers)
    assert results.references == {
        "vanilla-ddpm": "vanilla-ddpm", "lidar-ddpm": "vanilla-ddpm", "date": "vanilla-ddpm",
        "vanilla-ddim": "vanilla-ddim", "lidar-ddim": "vanilla-ddim",
        "ug": "vanilla-ddpm",  # none of its own: the one most like all the others
    }  # fmt: skip
    summary = summarize(results)
    for cell, base in (("lidar-ddpm", "vanilla-ddpm"), ("lidar-ddim", "vanilla-ddim")):
        change = summary.geneval[cell] - summary.geneval[base]
        assert summary["geneval.change"][cell] == pytest.approx(change)
    own = summary["geneval.change.prompts"]
    assert (own[["vanilla-ddpm", "vanilla-ddim"]] == 0).all()


def test_the_notes_say_which_vanilla_and_where_it_is_another_target_s(solvers: Path) -> None:
    results = load(solvers)
    said = "\n".join(notes(results, summarize(results)))
    assert "vanilla (solver ddim) (cell vanilla-ddim)" in said
    assert "vanilla (solver ddpm) (cell vanilla-ddpm): each cell's to the one whose solver" in said
    assert "ug: compared with vanilla of another solver" in said
    assert said.count("compared with vanilla of another") == 1


def test_a_seed_is_compared_with_vanilla_of_that_seed(tmp_path: Path) -> None:
    for seed in (0, 1):
        for kind in ("vanilla", "lidar"):
            synthetic.cell(tmp_path, kind, name=f"{kind}-{seed}", seed=seed)
    references = load(tmp_path).references
    assert references["lidar-0"] == "vanilla-0"
    assert references["lidar-1"] == "vanilla-1"


def test_cells_of_different_rewards_are_told_apart_and_not_subtracted(tmp_path: Path) -> None:
    weights = ({"clip": 1.0}, {"clip": 0.6, "hps": 0.4}, {"hps": 1.0})
    for place, of in enumerate(weights):
        rewards = {"preference": {"kind": "mix", "of": of}}
        synthetic.cell(tmp_path, "lidar", name=f"lidar-{place}", rewards=rewards)
    rewards = {"preference": {"kind": "mix", "of": weights[0]}}
    synthetic.cell(tmp_path, "vanilla", name="vanilla", rewards=rewards)
    results = load(tmp_path)
    assert list(results.cells.label[["lidar-0", "lidar-1", "lidar-2"]]) == [
        "lidar (clip 1.0, hps none)", "lidar (clip 0.6, hps 0.4)", "lidar (clip none, hps 1.0)",
    ]  # fmt: skip
    change = summarize(results)["score.preference.change"]
    assert change.notna().to_dict() == {
        "vanilla": False, "lidar-0": True, "lidar-1": False, "lidar-2": False,
    }  # fmt: skip
    said = compared_with(results.cells, results.references)
    assert any("guiding reward is not the same" in line for line in said)


def test_a_guidance_weight_is_compared_with_vanilla_of_that_weight(tmp_path: Path) -> None:
    for weight in (2.5, 6.0):
        backbone = {"name": "miniature", "guidance": weight}
        for kind in ("vanilla", "lidar"):
            synthetic.cell(tmp_path, kind, name=f"{kind}-{weight}", backbone=backbone)
    own = {"name": "miniature", "guidance": 4.0}
    synthetic.cell(tmp_path, "ug", name="ug", backbone=own)
    results = load(tmp_path)
    assert results.references["lidar-2.5"] == "vanilla-2.5"
    assert results.references["lidar-6.0"] == "vanilla-6.0"
    said = compared_with(results.cells, results.references)
    assert any(line.startswith("ug: compared with vanilla of another guidance") for line in said)


def test_an_unfinished_vanilla_gives_way_to_a_whole_one(tmp_path: Path) -> None:
    path = synthetic.cell(tmp_path, "vanilla", name="vanilla-a", code="a")
    synthetic.write(path, synthetic.read(path)[:3])
    synthetic.cell(tmp_path, "vanilla", name="vanilla-b", code="b")
    synthetic.cell(tmp_path, "lidar", code="c")
    assert load(tmp_path).references["lidar0123456789"] == "vanilla-b"


def test_only_vanillas_that_something_is_compared_with_are_named(tmp_path: Path) -> None:
    for steps in (10, 25, 50):
        synthetic.cell(tmp_path, "vanilla", name=f"vanilla-{steps}", steps=steps)
    for code in ("old", "new"):
        synthetic.cell(tmp_path, "lidar", name=f"lidar-{code}", steps=25, code=code)
    results = load(tmp_path)
    said = notes(results, summarize(results))
    (named,) = (line for line in said if line.startswith("differences are to"))
    assert "cell vanilla-25" in named and "vanilla-50" not in named
    assert not any("too few prompts" in line for line in said)
    assert sum("repeats another cell's settings" in line for line in said) == 1


def test_batches_of_different_sizes_are_said(tmp_path: Path) -> None:
    for kind, size in (("vanilla", 4), ("lidar", 2)):
        path = synthetic.cell(tmp_path, kind)
        batch = {"batch": {"images": size, "denoiser": 8, "decoder": 8}}
        synthetic.write(path, [one | batch for one in synthetic.read(path)])
    assert any("lidar 2 / 8 / 8; " in f"{note}; " for note in load(tmp_path).notes)
