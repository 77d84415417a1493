"""Axes of cost: evaluations as papers count them, calls and seconds, and ranks on each of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic

from bench.config.cell import make_cell
from bench.config.compose import cell_settings, groups
from bench.report import counting
from bench.report.axes import AXES, Quality, at_budget, compared, exchanges, rankings
from bench.report.axes_section import EARLIER, IDEAL, TITLE, axes_section, ranked, said
from bench.report.build import build
from bench.report.document import Text
from bench.report.domains.page import report
from bench.report.load import load
from bench.report.summary import summarize
from bench.run.cells import run_cell
from bench.store.records import read_records

# By cell: quality, passes and seconds over vanilla's. What `guide` leaves uncounted costs time.
CELLS = {
    "vanilla": (0.45, 1.0, 1.0),
    "guide-a": (0.2, 1.2, 2.0),
    "guide-b": (0.95, 2.0, 8.0),
    "best_of_n-2": (0.55, 2.0, 2.0),
    "best_of_n-4": (0.8, 4.0, 4.0),
    "date-a": (0.5, 2.0, 2.0),
    "das-a": (0.35, 2.0, 2.0),
}


def plant(folder, name, quality, passes, seconds, **changes):
    """A cell of this share of correct images and these costs over vanilla's."""
    method = name.split("-")[0]
    effect = (quality, 0.0, 0.0, 0.3, seconds)
    path = synthetic.cell(
        folder, "vanilla", name=name, total=60, effect=effect, pictures=False,
        **({"method": {"name": method, "n": name}} | changes),
    )  # fmt: skip
    records = synthetic.read(path)
    for one in records:
        one["passes"] = {"denoise": round(400 * passes)}
        one["calls"]["denoise"]["denoiser"] = round(800 * passes)
    synthetic.write(path, records)
    return path


def forget(folder):
    """The records as a version wrote them that did not count passes."""
    for path in folder.glob("cells/*"):
        kept = ({k: v for k, v in r.items() if k != "passes"} for r in synthetic.read(path))
        synthetic.write(path, list(kept))


def planted(folder):
    for name, effect in CELLS.items():
        plant(folder, name, *effect)
    return folder


@pytest.fixture
def folder(tmp_path):
    return planted(tmp_path)


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    """The planted cells, compared: to be read only."""
    return of(planted(tmp_path_factory.mktemp("axes")))


def of(folder):
    results = load(folder)
    return compared(results, summarize(results))


def test_a_pass_of_the_denoiser_counts_guidance_once_and_is_counted_with_the_cell(tmp_path):
    small = ["steps=2", "images=1", "prompts.per_task=1", "prompts.limit=1"]
    lookahead = ["lookahead.solver=lcm", "lookahead.steps=1", "lookahead.n=3"]
    cell = make_cell(cell_settings(["method=lidar", *small, *lookahead], []))
    path = run_cell(cell, tmp_path, lambda: None)
    (record,) = read_records(path / "records.jsonl").finished.values()
    assert record.passes == {"prepare": 3, "denoise": 2}, "of the student three, of its teacher two"
    assert record.calls["prepare"]["denoiser"] == 3 and record.calls["denoise"]["denoiser"] == 4
    assert "passes" not in record.calls["denoise"]


def test_seconds_of_an_ideal_student_are_told_to_say_nothing(folder, every):
    parts = {p.text for p in axes_section([every]).parts if isinstance(p, Text)}
    assert IDEAL not in parts
    settings = every.results.cells.every.iloc[0] | {"efr.student.solver": "flow_map"}
    ideal = of(folder)
    ideal.results.cells.at[ideal.results.cells.index[0], "every"] = settings
    assert IDEAL in {p.text for p in axes_section([ideal]).parts if isinstance(p, Text)}


def test_evaluations_are_passes_for_each_delivered_image(every):
    frame = every.frame
    assert frame.evaluations.groupby(frame.label).first()["vanilla"] == 400 / 4
    assert frame.loc["guide-a", "claimed"] == pytest.approx(1.2)
    assert frame.loc["guide-b", ["claimed", "calls"]].tolist() == pytest.approx([2, 2])
    assert frame.loc["guide-b", "cost"] == pytest.approx(8, rel=0.1)


def test_records_of_an_earlier_version_fall_back_to_the_denoiser_s_samples(folder, undrawn):
    forget(folder)
    frame = of(folder).frame
    assert frame.loc["vanilla", "evaluations"] == 800 / 4
    assert frame.loc["guide-a", "claimed"] == pytest.approx(1.2)
    build(folder)
    assert EARLIER in (folder / "report.md").read_text()


def test_one_record_without_passes_makes_all_cells_be_counted_alike():
    counts = {"passes": [10.0, np.nan], "calls.denoiser": [20, 20], "images": [2, 2]}
    prompts = pd.DataFrame(counts)
    assert counting.column(prompts) == "calls.denoiser"
    assert counting.evaluations(prompts, counting.column(prompts)) == 10
    assert counting.evaluations(prompts.head(1), counting.column(prompts.head(1))) == 5


def test_every_source_is_of_a_method_that_is_named_so():
    assert {*counting.SOURCES} <= {*groups()["method"]}
    assert counting.source("my_method") == counting.ASSUMED


def test_a_method_speaks_by_its_best_setting_within_the_budget(every):
    found = at_budget(every, "claimed", 2)
    assert found["guide"] == "guide-b" and found["best_of_n"] == "best_of_n-2"
    assert {*found.index} == {"guide", "best_of_n", "date", "das", "vanilla"}
    assert next(iter(found.index)) == "guide"
    assert at_budget(every, "cost", 2)["guide"] == "guide-a"
    assert at_budget(every, "claimed", 8)["best_of_n"] == "best_of_n-4"
    assert {*at_budget(every, "claimed", 1).index} == {"vanilla"}


def test_two_methods_that_change_places_between_axes_are_told_with_both_differences(every):
    ((budget, found),) = rankings(every)
    assert budget == 2 and list(found) == [*AXES]
    clear = [e for e in exchanges(every, budget, found) if e.clear and e.other == "cost"]
    pairs = {(e.axis, e.ahead, e.behind) for e in clear}
    assert ("claimed", "guide", "best_of_n") in pairs
    one = next(e for e in clear if e.behind == "best_of_n")
    assert one.gain.value == pytest.approx(0.4, abs=0.1) and one.loss.value < -0.2
    ranks, changed, dear = ranked(every)
    row = ranks[ranks.method == "guide"].iloc[0]
    assert row[AXES["claimed"]].startswith("1 (") and row[AXES["cost"]].startswith("5 (")
    (line, *_) = said(every, changed, dear)
    assert "guide is better than best_of_n" in line and AXES["cost"] in line


def test_methods_that_are_within_a_budget_by_one_count_alone_are_named(every):
    frame = every.frame.drop(index="guide-a")
    _, _, dear = ranked(replace(every, frame=frame))
    assert any("but not if they are seconds: guide." in line for line in dear)


def test_the_section_has_figure_ranks_and_every_count_with_its_source(every):
    section = axes_section([every])
    picture, ranks, bullets, counts = section.parts
    assert section.title == TITLE and len(picture.figure.axes) == len(AXES)
    assert len(bullets.lines) and len(ranks.shown) == 5
    shown = counts.shown.set_index("method")
    assert shown.loc["vanilla", "denoiser fwd / bwd"] == "200 / 0"
    assert shown.loc["vanilla", "evaluations"] == "100"
    assert shown["counted so in"].str.contains("not stated").any()
    assert {"evaluations", *AXES} <= {*counts.full}


def test_without_vanilla_or_a_second_cell_there_is_no_section(tmp_path):
    plant(tmp_path, "guide-a", *CELLS["guide-a"])
    assert of(tmp_path) is None and not axes_section([None]).parts
    plant(tmp_path, "vanilla", *CELLS["vanilla"])
    assert of(tmp_path) is not None


def test_cells_of_other_steps_than_vanilla_s_are_left_out_but_not_those_of_another_solver(folder):
    plant(folder, "guide-c", 0.5, 1.5, 3.0, solver="ancestral")
    plant(folder, "guide-d", 0.5, 1.5, 3.0, steps=10)
    frame = of(folder).frame
    assert "guide-c" in frame.index and "guide-d" not in frame.index


def test_where_the_target_is_known_less_distance_is_better(every):
    results = every.results
    near = results.prompts.cell.map({name: 1.0 + 0.5 * k for k, name in enumerate(CELLS)})
    noise = np.random.default_rng(0).normal(0, 0.01, len(near))
    results = replace(results, prompts=results.prompts.assign(distance=near + noise))
    assert Quality.of(results).sign == -1
    own = compared(results, summarize(results))
    assert own.frame.loc["vanilla", "quality"] == pytest.approx(1.0, abs=0.01)
    near = ["vanilla", "guide", "best_of_n", "date", "das"]
    assert list(at_budget(own, "claimed", 2).index) == near
    lead = own.quality.lead(results, "vanilla", "guide-a")
    assert lead.low > 0 and lead.low < lead.value < lead.high
    axes = axes_section([own]).parts[0].figure.axes
    assert all(ax.yaxis_inverted() for ax in axes)


def test_several_backbones_share_one_figure_a_row_each(tmp_path):
    for backbone in ("miniature", "miniature_flow"):
        for name, planted in CELLS.items():
            about = {"backbone": {"name": backbone}, "judge": {"name": "miniature"}}
            method = {"name": name.split("-")[0], "n": name}
            plant(tmp_path, f"{name}-{backbone}", *planted, method=method, **about)
    section = next(s for s in report(tmp_path).document.sections if s.title == TITLE)
    assert len(section.parts[0].figure.axes) == 2 * len(AXES)
    ranks = section.parts[1].shown
    assert ranks.domain.tolist() == ["miniature"] * 5 + ["miniature_flow"] * 5
    assert section.parts[2].lines[0].startswith("miniature: ")
