"""``python -m bench.costs``: measured ratios beside predicted ones."""

import pytest

from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.costs.__main__ import beside, device_of, main
from bench.costs.predicted import Costed, ratio
from bench.run.cells import run_cell
from bench.run.counted import calls_of, parts_of
from bench.store.frames import read
from methods.method import Method

TOY = ["backbone=sd15", "weights=tiny", "judge=none", "scores=[]", "steps=3", "prompts.limit=2"]
TOY += ["images=2", "yardstick_every=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("measured")
    for own in (["method=vanilla"], ["method=ug"]):
        run_cell(make_cell(cell_settings([*TOY, *own], [])), made, lambda: None)
    return made


def test_each_timed_cell_has_its_measured_ratio_and_that_of_the_cost_model(folder):
    frames = read(folder)
    found = beside(frames).set_index("method")
    ug = make_cell(cell_settings([*TOY, "method=ug"], []))
    own, usual = calls_of(ug, ug.method), calls_of(ug, Method("vanilla"))
    predicted = ratio(Costed("ug", ug.settings, own, usual, 2), parts_of(ug))
    assert found.predicted["ug"] == pytest.approx(predicted)
    assert found.predicted["vanilla"] == pytest.approx(1)
    prompts = frames.prompts[frames.prompts.cell.str.startswith("ug")]
    seconds = [prompts[f"yardstick.{side}"].sum() for side in ("method", "vanilla")]
    assert found.measured["ug"] == pytest.approx(seconds[0] / seconds[1])
    assert found.error["ug"] == pytest.approx(predicted / found.measured["ug"] - 1)


def test_what_was_measured_at_toy_size_is_refused(folder, capsys):
    assert main([str(folder)]) == 2
    assert "toy size" in capsys.readouterr().err


def test_a_gpu_is_known_by_the_name_that_torch_gives_it():
    named = ("NVIDIA H100 80GB HBM3", "NVIDIA GeForce RTX 4090", "NVIDIA A100-SXM4-80GB", "a CPU")
    assert [device_of(name).name for name in named] == ["H100", "RTX 4090", "A100", "A100"]
