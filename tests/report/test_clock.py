"""Seconds are told of a quiet machine alone; of a busy one costs are calls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import synthetic

from bench.report import clock, table
from bench.report.load import Results, load
from bench.report.notes import placebo
from bench.report.summary import summarize
from bench.report.sweeps import sweeps

LIDAR = "lidar0123456789"


@pytest.fixture
def quiet(folder: Path) -> Results:
    """Vanilla, LiDAR and UG, eight prompts of each timed; with a second scale of LiDAR."""
    synthetic.cell(folder, "lidar", name="lidar-scale", method=synthetic.lidar(scale=5.0))
    return load(folder)


def slowed(results: Results, cell: str, side: str, factor: float, prompts: int) -> Results:
    """As many of a cell's timings on one side, or all others too, made slower."""
    own = results.prompts.index[results.prompts.cell.eq(cell) & results.prompts[side].notna()]
    results.prompts.loc[own[:prompts], side] *= factor
    return results


def test_nothing_shows_that_a_quiet_machine_was_busy(quiet: Results) -> None:
    assert clock.busy(quiet) == {} and placebo(summarize(quiet)) == []
    assert clock.unit(quiet) == "seconds"
    shown = table.result_display(quiet, summarize(quiet))
    assert clock.BUSY not in shown.to_string()


@pytest.mark.parametrize(("prompts", "busy"), [(1, False), (2, False), (3, True)])
def test_a_cell_beside_which_vanilla_was_often_slow_tells_no_seconds(quiet, prompts, busy) -> None:
    """A quarter of eight timings is two."""
    results = slowed(quiet, LIDAR, "yardstick.vanilla", 1.6, prompts)
    results = slowed(results, LIDAR, "yardstick.method", 1.6, prompts)
    found = clock.busy(results)
    assert set(found) == ({LIDAR} if busy else set())
    assert clock.unit(results) == ("calls" if busy else "seconds")
    if busy:
        assert found[LIDAR] == "3 of 8 timings of vanilla exceed 1.15× the median"
        summary = summarize(results)
        shown = table.result_display(results, summary).set_index("method")
        label = results.cells.label[LIDAR]
        assert shown.loc[label, ["s/prompt", "cost / vanilla [95%]"]].tolist() == [clock.BUSY] * 2
        assert clock.BUSY not in shown.drop(label).to_string()
        [note] = placebo(summary)
        assert note.startswith(f"{label}: busy machine, 3 of 8")
        assert np.isnan(summary.lidar_speedup[LIDAR])


def test_cells_of_equal_calls_must_agree_in_their_costs(quiet: Results) -> None:
    results = slowed(quiet, "lidar-scale", "yardstick.method", 1.1, 8)
    found = clock.busy(results)
    assert set(found) == {LIDAR, "lidar-scale"}  # which of them was disturbed nobody knows
    assert found[LIDAR].startswith("equal calls, unequal costs: ")


def test_vanilla_must_cost_what_vanilla_costs(quiet: Results) -> None:
    results = slowed(quiet, "vanilla0123456789", "yardstick.method", 1.1, 8)
    assert set(clock.busy(results)) == {"vanilla0123456789"}


def test_costs_of_a_busy_machine_are_compared_in_calls(tmp_path: Path) -> None:
    """LiDAR's planted calls are twice and four times vanilla's."""
    synthetic.cell(tmp_path, "vanilla", effect=(0.4, 0.0, 0.0, 0.3, 1.0), pictures=False)
    for n, ratio in ((9, 2.0), (50, 4.0)):
        effect = (0.5, 0.0, 0.0, 0.3, ratio)
        own = {"method": synthetic.lidar(n=n), "effect": effect, "pictures": False}
        synthetic.cell(tmp_path, "lidar", name=f"lidar{n}", **own)
    results = slowed(load(tmp_path), "lidar9", "yardstick.vanilla", 1.6, 4)
    [sweep] = sweeps(results, [["lidar50", "lidar9"]])
    assert sweep.cost.value.tolist() == [2, 4] and sweep.cost.freedom is None


def test_a_cell_with_too_few_timings_is_believed_as_far_as_vanilla_is(quiet: Results) -> None:
    own = quiet.prompts.index[quiet.prompts.cell.eq(LIDAR)]
    quiet.prompts.loc[own[7:], ["yardstick.vanilla", "yardstick.method"]] = np.nan
    results = slowed(quiet, "vanilla0123456789", "yardstick.vanilla", 1.6, 3)
    assert set(clock.busy(results)) == {LIDAR, "vanilla0123456789"}
