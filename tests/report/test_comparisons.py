"""Speedups, controls and break-even of cells: against the statistics called by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import synthetic

from bench import stats
from bench.report import breakeven, controls, seeds, speedups, style
from bench.report.cost import by_target, counted, frontiers
from bench.report.load import load
from bench.report.summary import summarize
from bench.report.sweeps import sweeps


def bon(folder: Path, n: int, right: float, cost: float) -> None:
    settings = {"name": "best_of_n", "steer": {"best_of_n": {"n": n}}}
    effect = (right, 0.3, 0.01, 0.28, cost)
    synthetic.cell(
        folder, "best_of_n", name=f"bon{n}", total=96, effect=effect, method=settings,
        pictures=False,
    )  # fmt: skip


def lidar(folder: Path, n: int, right: float, cost: float) -> None:
    effect = (right, 0.3, 0.01, 0.28, cost)
    synthetic.cell(
        folder, "lidar", name=f"lidar{n}", total=96, effect=effect, method=synthetic.lidar(n=n),
        pictures=False,
    )  # fmt: skip


def test_a_sweep_s_numbers_are_those_of_its_cells(swept: Path) -> None:
    results = load(swept)
    [sweep] = sweeps(results, [["bon-n2", "bon-n8", "bon-n4"]])
    for place, n in enumerate((2, 4, 8)):
        own = results.of(f"bon-n{n}")
        share = (own.correct / own.images).groupby(own.tag).mean().mean()
        timed = own.dropna(subset=["yardstick.vanilla"])
        ratio = timed["yardstick.method"].sum() / timed["yardstick.vanilla"].sum()
        assert sweep.quality.value[place] == pytest.approx(share)
        assert sweep.cost.value[place] == pytest.approx(ratio)


def test_sweeps_are_over_the_prompts_that_all_their_cells_finished(tmp_path: Path) -> None:
    bon(tmp_path, 2, 0.5, 2.0)
    bon(tmp_path, 4, 0.6, 4.0)
    path = tmp_path / "cells" / "bon4"
    synthetic.write(path, synthetic.read(path)[12:])
    [sweep] = sweeps(load(tmp_path), [["bon2", "bon4"]])
    assert sweep.draws.prompts == 84
    assert sweeps(load(tmp_path), [["bon2"]])[0].draws.prompts == 96


def test_a_planted_speedup_at_matched_quality_comes_out(tmp_path: Path) -> None:
    """Quality by log cost: Best-of-N's best, 0.8, costs it 16; LiDAR has it at 4."""
    for n, right, cost in ((2, 0.5, 2.0), (4, 0.6, 4.0), (16, 0.8, 16.0)):
        bon(tmp_path, n, right, cost)
    for n, right, cost in ((9, 0.6, 2.0), (50, 0.8, 4.0), (200, 0.95, 8.0)):
        lidar(tmp_path, n, right, cost)
    [found] = speedups.speedups(load(tmp_path))
    assert found.faster is not None and found.faster.status == "reached"
    assert found.faster.value.low < 4 < found.faster.value.high
    assert found.faster.value.value == pytest.approx(4, rel=0.3)
    assert found.reverse is not None and found.reverse.status == "not reached"
    assert speedups.said(found.reverse, "").startswith("not reached")
    assert found.plain.value == pytest.approx(4 / 4, rel=0.1)  # of the typical settings
    assert found.settings == (3, 3)


def test_without_a_sweep_only_the_plain_ratio_is_given(folder: Path) -> None:
    found = {s.method: s for s in speedups.speedups(load(folder))}
    assert found["ug"].faster is None
    assert speedups.said(found["ug"].faster, found["ug"].reason) == (
        "– (LiDAR's budget was not swept)"
    )
    assert found["ug"].plain.value == pytest.approx(4, rel=0.1)


def test_another_target_solver_has_another_yardstick(tmp_path: Path) -> None:
    synthetic.cell(tmp_path, "lidar")
    synthetic.cell(tmp_path, "ug", steps=20)
    results = load(tmp_path)
    [found] = speedups.speedups(results)
    assert found.faster is None and "another yardstick" in found.reason
    assert np.isnan(found.plain.value)  # of two units
    assert breakeven.break_evens(results) == {}
    summary = summarize(results)
    assert summary.lidar_speedup.notna().to_dict() == {
        "lidar0123456789": True,
        "ug0123456789": False,
    }
    names = [name for name, _, _ in by_target(results, summary, style.looks(summary))]
    assert names == ["geneval_vs_cost", "geneval_vs_cost_ddim_20"]


@pytest.mark.parametrize(
    ("own", "cost", "where", "wins", "loses"),
    [
        (0.95, 4.0, "matched", True, False),
        (0.30, 4.0, "matched", False, True),
        (0.95, 8.2, "matched", True, False),  # the same cost, but for the clock's noise
        (0.95, 16.0, "a cheaper control", False, False),  # a dearer control might do as well
        (0.30, 16.0, "a cheaper control", False, True),
        (0.95, 1.0, "a dearer control", True, False),
        (0.30, 1.0, "a dearer control", False, False),
    ],
)
def test_a_control_of_another_cost_can_decide_one_way_only(
    tmp_path: Path, own: float, cost: float, where: str, wins: bool, loses: bool
) -> None:
    for n, right, spent in ((2, 0.55, 2.0), (8, 0.65, 8.0)):
        bon(tmp_path, n, right, spent)
    lidar(tmp_path, 50, own, cost)
    [found] = controls.comparisons(load(tmp_path))
    assert (found.control, found.where) == ("best_of_n", where)
    assert (found.wins, found.loses) == (wins, loses)
    assert found.cost == pytest.approx(cost, rel=0.05)


def test_every_cell_of_lidar_meets_the_controls_and_of_others_the_typical_one(
    tmp_path: Path,
) -> None:
    for n in (2, 8):
        bon(tmp_path, n, 0.6, float(n))
        lidar(tmp_path, n, 0.7, float(n))
        synthetic.cell(tmp_path, "ug", name=f"ug{n}", total=96, seed=n, pictures=False)
    found = controls.comparisons(load(tmp_path))
    assert sorted(c.cell for c in found if c.control == "best_of_n") == ["lidar2", "lidar8", "ug2"]


def test_break_even_is_where_the_lines_cross(tmp_path: Path) -> None:
    """LiDAR: half of 2.0 to prepare, then 0.25 an image. UG: 2.0 an image, less encoding."""
    for method in ("vanilla", "lidar", "ug"):
        synthetic.cell(tmp_path, method, total=96)
    results = load(tmp_path)
    found = breakeven.break_evens(results)
    _, values = results.shared(["lidar0123456789"], breakeven.COLUMNS)
    prepare, each = breakeven.parts(*values)
    assert np.mean(prepare) == pytest.approx(1.0, rel=0.05)
    assert np.mean(each) == pytest.approx(0.25, rel=0.05)
    assert found["ug0123456789"].images == 1
    assert (found["vanilla0123456789"].images or 101) > 100
    assert breakeven.said(stats.BreakEven(6, 5, None, 20)) == "6 images [5, never]"
    assert breakeven.said(stats.BreakEven(1, 1, 1, 20)) == "from the first image [1, 1]"


def test_seeds_of_equal_settings_are_pooled(tmp_path: Path) -> None:
    for seed in (0, 1, 2):
        synthetic.cell(tmp_path, "ug", name=f"ug{seed}", seed=seed)
    synthetic.cell(tmp_path, "vanilla")
    results = load(tmp_path)
    [row] = seeds.pooled(results).itertuples()
    scores = []
    for seed in (0, 1, 2):
        own = results.of(f"ug{seed}")
        scores.append((own.correct / own.images).groupby(own.tag).mean().mean())
    assert (row.method, row.seeds, row.prompts) == ("ug", 3, 24)
    assert row.pooled == pytest.approx(np.mean(scores))
    assert row.deviation == pytest.approx(np.std(scores, ddof=1))


def test_seeds_keep_what_else_tells_their_cells_apart(tmp_path: Path) -> None:
    for solver in ("ddpm", "ddim"):
        for seed in (0, 1):
            synthetic.cell(tmp_path, "ug", name=f"ug-{solver}-{seed}", seed=seed, solver=solver)
    rows = seeds.pooled(load(tmp_path))
    assert set(rows.method) == {"ug (solver ddpm)", "ug (solver ddim)"}


def test_fewer_than_eight_timed_prompts_make_no_speedup(tmp_path: Path) -> None:
    for n, right, spent in ((2, 0.5, 2.0), (16, 0.8, 16.0)):
        bon(tmp_path, n, right, spent)
        lidar(tmp_path, n, right, spent / 2)
    results = load(tmp_path)
    [found] = speedups.speedups(results)
    assert found.faster is not None and found.timed == 32
    results = load(tmp_path)
    few = results.prompts["index"] >= 3 * 7
    results.prompts.loc[few, ["yardstick.vanilla", "yardstick.method"]] = np.nan
    [found] = speedups.speedups(results)
    assert found.faster is None and "fewer than 8 prompts timed" in found.reason


def test_the_frontier_of_a_target_that_lacks_a_method_s_typical_cell_is_drawn(tmp_path) -> None:
    for solver, sizes in (("ddpm", (2, 4, 8)), ("ddim", (16, 32))):
        for n in sizes:
            own = {"name": "best_of_n", "steer": {"best_of_n": {"n": n}}}
            effect = (0.5 + n / 100, 0.3, 0.01, 0.28, float(n))
            synthetic.cell(tmp_path, "best_of_n", name=f"bon{n}", method=own, effect=effect,
                           solver=solver, pictures=False)  # fmt: skip
    results = load(tmp_path)
    spent = counted(results, summarize(results))
    for solver, count in (("ddpm", 3), ("ddim", 2)):
        lines = frontiers(results.cells[results.cells.solver == solver], spent, "geneval")
        assert [len(costs) for costs, _ in lines.values()] == [count]
