"""Which cells are compared: by their settings, never by their results."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from bench.report import choice
from bench.report.load import load


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("choice")
    synthetic.sweep(folder)
    return load(folder).cells


def test_the_typical_cell_is_where_the_sweeps_meet(cells) -> None:
    assert choice.typical(cells, "lidar") == "lidar-n50"
    assert choice.typical(cells, "ug") == "ug-2.0"  # of equals the middle one
    assert choice.typical(cells, "svdd") is None


def test_one_setting_varied_leaves_all_others_alone(cells) -> None:
    n = choice.varied(cells, "lidar", "efr.lookahead.n")
    assert n.to_dict() == {"lidar-n9": 9, "lidar-n50": 50, "lidar-n200": 200}
    assert list(choice.varied(cells, "lidar", "efr.lookahead.steps")) == [3, 5, 10]
    assert choice.varied(cells, "vanilla", "efr.lookahead.n").empty


def test_a_budget_sweep_takes_more_of_something_and_no_other_scale(cells) -> None:
    swept = set(choice.budget(cells, "lidar"))
    assert swept == {"lidar-n9", "lidar-n50", "lidar-n200", "lidar-s3", "lidar-s10"}
    assert choice.budget(cells, "ug") == ["ug-2.0"]


def test_more_steps_of_vanilla_are_vanilla_s_budget_and_another_target_is_not(tmp_path) -> None:
    synthetic.cell(tmp_path, "vanilla", method={"name": "vanilla", "steps_factor": 1})
    more = {"name": "vanilla_more_steps", "steps_factor": 2}
    synthetic.cell(tmp_path, "vanilla", name="more", method=more)
    cells = load(tmp_path).cells
    assert set(choice.budget(cells, "vanilla")) == {"vanilla0123456789", "more"}
    assert choice.differing(cells.loc["more"], cells.loc["vanilla0123456789"]) == {
        "name", "steps_factor",
    }  # fmt: skip
    other = {"name": "vanilla", "steps_factor": 1}
    synthetic.cell(tmp_path, "vanilla", name="other", method=other, steps=20)
    assert not {"other", "more"} <= set(choice.budget(load(tmp_path).cells, "vanilla"))


def test_a_cell_that_has_hardly_begun_is_left_out_of_comparisons(tmp_path: Path) -> None:
    for n in (9, 50, 200):
        settings = synthetic.lidar(n=n)
        path = synthetic.cell(tmp_path, "lidar", name=f"lidar-n{n}", method=settings)
    synthetic.write(path, synthetic.read(path)[:11])
    cells = load(tmp_path).cells
    assert set(choice.budget(cells, "lidar")) == {"lidar-n9", "lidar-n50"}
    assert choice.varied(cells, "lidar", "efr.lookahead.n").tolist() == [9, 50]


def test_numbers_are_equal_however_they_are_written() -> None:
    assert choice.spelled("2") == choice.spelled("2.0") != choice.spelled("20")
    assert choice.spelled("[0, 1]") == choice.spelled("[0.0, 1.0]")


def test_the_guided_part_of_the_schedule_is_the_budget_of_who_pays_for_each_step(tmp_path) -> None:
    """As in the experiment paper/fig4: three intervals, and twice the steps."""
    base = {"name": "ug", "efr": {"tweedie": {"scale": 2.0}}, "steps_factor": 1}
    for place, interval in enumerate(([0.8, 1], [0.5, 1], [0.0, 1.0])):
        own = base | {"steer": {"guidance": {"interval": interval}}}
        synthetic.cell(tmp_path, "ug", name=f"ug-{place}", method=own)
    own = base | {"steps_factor": 2, "steer": {"guidance": {"interval": [0, 1]}}}
    synthetic.cell(tmp_path, "ug", name="ug-more", method=own)
    for place, interval in enumerate(([0, 1], [0.2, 1])):
        own = synthetic.lidar() | {"steer": {"guidance": {"interval": interval, "scale": 3}}}
        synthetic.cell(tmp_path, "lidar", name=f"lidar-{place}", method=own)
    cells = load(tmp_path).cells
    assert choice.typical(cells, "ug") == "ug-2"
    assert set(choice.budget(cells, "ug")) == {"ug-0", "ug-1", "ug-2", "ug-more"}
    assert len(choice.budget(cells, "lidar")) == 1


def test_of_equals_the_method_s_own_settings_are_typical(tmp_path: Path) -> None:
    """Two populations, of which one strays from the method's own setting, as its config says."""
    for name, particles, changed in (("a", 2, {"steer.smc.particles": None}), ("b", None, {})):
        own = {"name": "fk_smc", "steer": {"smc": {"particles": particles}}}
        synthetic.cell(tmp_path, "smc", name=f"smc-{name}", method=own, changed=changed)
    cells = load(tmp_path).cells
    assert cells.strays.to_dict() == {"smc-a": 1, "smc-b": 0}
    assert choice.typical(cells, "fk_smc") == "smc-b"
    unknown = {"name": "nobody_s", "steer": {"smc": {"particles": 2}}}
    synthetic.cell(tmp_path, "smc", name="smc-c", method=unknown, changed=None)
    assert load(tmp_path).cells.strays["smc-c"] == 0


def test_two_versions_of_the_code_are_no_sweep(tmp_path: Path) -> None:
    for code in ("old", "new"):
        method = synthetic.lidar(n=25)
        path = synthetic.cell(tmp_path, "lidar", name=f"lidar-{code}", code=code, method=method)
    synthetic.write(path, synthetic.read(path)[:20])
    cells = load(tmp_path).cells
    assert cells.twin.to_dict() == {"lidar-old": False, "lidar-new": True}
    assert choice.budget(cells, "lidar") == ["lidar-old"]
    assert choice.varied(cells, "lidar", "efr.lookahead.n").empty


def test_a_short_label_says_what_differs_from_the_typical_cell(cells) -> None:
    assert choice.short(cells, "lidar-n50") == "lidar"
    assert choice.short(cells, "lidar-n9") == "n 9"
    assert choice.short(cells, "lidar-scale") == "scale 5.0"


def test_a_population_of_all_particles_is_called_all(tmp_path: Path) -> None:
    for particles in (None, 4):
        method = {"name": "fk_smc", "steer": {"smc": {"particles": particles}}}
        synthetic.cell(tmp_path, "smc", name=f"smc-{particles}", method=method)
    cells = load(tmp_path).cells
    assert set(cells.label) == {"fk_smc (particles all)", "fk_smc (particles 4)"}
    assert choice.short(cells, "smc-None") in ("fk_smc", "particles all")
