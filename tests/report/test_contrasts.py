"""Primary contrasts: declared in the results folder, measured, corrected together, answered."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic

from bench.report.contrasts import contrasts
from bench.report.contrasts_section import contrast_section
from bench.report.evidence import gather
from bench.report.load import load
from bench.store.contrasts import write

LINES = {
    "LiDAR less vanilla": ("method=lidar method.efr.lookahead.n=16", "method=vanilla"),
    "LiDAR less Best-of-N": ("method=lidar method.efr.lookahead.n=16", "method=best_of_n"),
}


def plant(folder: Path, kind: str, right: float, method: object = None, **changes: object) -> Path:
    ratio = 1.0 if kind == "vanilla" else 2.0
    own = {"effect": (right, 0.0, 0.0, 0.3, ratio), "total": 192, "pictures": False}
    return synthetic.cell(folder, kind, method=method or {"name": kind}, **own | changes)


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    plant(tmp_path, "vanilla", 0.4)
    plant(tmp_path, "best_of_n", 0.6)
    plant(tmp_path, "lidar", 0.6, synthetic.lidar(n=16))
    plant(tmp_path, "lidar", 0.9, synthetic.lidar(n=50), name="lidar-n50")
    write(tmp_path, LINES)
    return tmp_path


def test_a_contrast_compares_the_two_cells_that_its_lines_name(declared: Path) -> None:
    first, second = contrasts(load(declared))
    assert first.cells == ("lidar0123456789", "vanilla0123456789")
    assert first.difference is not None and first.difference.value == pytest.approx(0.2, abs=0.06)
    assert first.answer == "better" and second.answer in ("equivalent", "not decided")
    together = second.together
    assert together is not None and together.high > second.difference.high
    assert first.calls == (400, 200) and not first.same_cost and second.same_cost


def test_p_values_are_corrected_for_the_contrasts_that_were_declared(declared: Path) -> None:
    alone = {name: lines for name, lines in LINES.items() if "Best-of-N" in name}
    both = contrasts(load(declared))[1]
    write(declared, alone)
    (one,) = contrasts(load(declared))
    write(declared, LINES | {"absent": ("method=lidar", "method=ug")})
    three = contrasts(load(declared))
    assert one.p <= both.p <= three[1].p
    assert one.together == one.difference
    assert three[0].together.high > contrasts_of(declared, LINES)[0].together.high
    assert three[2].answer == "not decided" and three[2].reason == "its cells are not here"


def contrasts_of(folder: Path, lines: dict[str, tuple[str, str]]) -> list:
    write(folder, lines)
    return contrasts(load(folder))


def test_a_line_of_several_cells_is_told_not_guessed(declared: Path) -> None:
    (one,) = contrasts_of(declared, {"LiDAR": ("method=lidar", "method=vanilla")})
    assert one.answer == "not decided" and "2 pairs" in one.reason


def test_the_section_says_what_is_equal_and_that_all_else_is_exploratory(declared: Path) -> None:
    def shown() -> tuple[str, dict]:
        (table,) = contrast_section(gather(load(declared))).parts
        return table.caption, table.shown.set_index("contrast").to_dict("index")

    caption, rows = shown()
    assert "every other comparison in this report is exploratory" in caption and "±0.05" in caption
    assert rows["LiDAR less vanilla"]["costs"] == "differ, 2.00×"
    assert rows["LiDAR less vanilla"]["answer"] == "better"
    (declared / "contrasts.yaml").unlink()
    assert contrast_section(gather(load(declared))).parts == ()
