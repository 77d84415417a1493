"""Clutter, strict verdicts, distinct right images and diversity at equal correctness, planted."""

import numpy as np
import pytest
from synthetic import records_of, write

import bench
from bench.report import quality, style, table
from bench.report.load import load
from bench.report.summary import FEWEST, summarize

NEW = ["strict", "clutter", "doubt", "distinct_share"]


@pytest.fixture
def planted(folder):
    """Of LiDAR's four images one has an object too many, though GenEval calls all right; vanilla's
    first is wrong, but on as many prompts as are the fewest to compare diversity on."""
    for method, more in (("vanilla", 0), ("lidar", 1)):
        path, records = records_of(folder, method)
        finished = [record for record in records if record["error"] is None]
        for number, record in enumerate(finished):
            right = [bool(more) or number < FEWEST, True, True, True]
            record |= {"geneval": right, "reasons": [[]] * 4}
            record["doubt"] = [0.0, 0.0, 0.0, 0.4 * more]
            record |= {"strict": [*right[:3], not more], "distinct": 2 + more}
            record["extras"] = {"asked": [0, 0, 0, more], "other": [0, 0, 0, more]}
            record["diversity"] = 0.2 if number < FEWEST else 0.3 - 0.1 * more
        write(path, records)
    return folder


def test_the_summary_has_the_planted_shares_and_their_changes(planted):
    summary = summarize(load(planted)).set_index("method")
    vanilla, lidar = summary.loc["vanilla"], summary.loc["lidar"]
    assert (vanilla.clutter, lidar.clutter, lidar["clutter.change"]) == (0, 0.25, 0.25)
    assert (vanilla.distinct_share, lidar.distinct_share) == (0.5, 0.75)
    assert lidar["distinct_share.change"] == pytest.approx(0.25)
    assert lidar.geneval == 1 and lidar.strict == 0.75
    assert lidar["strict.change"] == pytest.approx(0.75 - vanilla.strict)
    assert lidar["doubt.change"] == pytest.approx(0.1)
    assert np.isnan(vanilla["clutter.change"])


def test_diversity_is_compared_where_both_are_all_right_alone(planted):
    summary = summarize(load(planted)).set_index("method")
    lidar = summary.loc["lidar"]
    assert lidar["diversity.change"] < -0.03
    assert lidar["diversity_right.change"] == pytest.approx(0)
    assert lidar["diversity_right.change.prompts"] == FEWEST


def test_fewer_prompts_than_that_are_not_compared(planted):
    path, records = records_of(planted, "vanilla")
    records[0]["geneval"] = [False] * 4
    write(path, records)
    results = load(planted)
    summary = summarize(results)
    assert np.isnan(summary.set_index("method").loc["lidar", "diversity_right.change"])
    assert "diversity where all are right" not in table.score_display(results, summary)


def test_the_tables_show_them_and_leave_them_out_where_no_detector_looked(planted, folder):
    results = load(planted)
    summary = summarize(results)
    shown, others = table.result_display(results, summary), table.score_display(results, summary)
    assert {"strict GenEval", "clutter"} <= {*shown} and {"distinct right"} <= {*others}
    of = dict(zip(others.method, others.clutter, strict=True))
    assert of["lidar"] == "0.250, +0.250 [+0.250, +0.250]" and of["vanilla"] == "0.000, reference"
    assert f"(n = {FEWEST})" in "".join(others["diversity where all are right"])


def test_the_hacking_figure_shows_them_and_less_clutter_is_up(planted):
    results = load(planted)
    summary = summarize(results)
    looks = style.looks(summary)
    figure = quality.hacking(summary, (results.reward, *results.judges), looks)
    axes = {ax.get_ylabel(): ax for ax in figure.axes}
    assert {"change of strict GenEval", "change of clutter (less is up)"} <= {*axes}
    assert [label for label, ax in axes.items() if ax.yaxis_inverted()] == [
        "change of clutter (less is up)"
    ]


def test_records_of_earlier_versions_have_none_of_it(folder):
    results = load(folder)
    summary = summarize(results)
    assert summary[NEW].isna().all(axis=None)
    assert not {"strict GenEval", "clutter"} & {*table.result_display(results, summary)}
    assert bench.load(folder)[["strict", "doubt", "extras", "distinct"]].isna().all(axis=None)


def test_a_data_frame_has_what_was_seen_of_each_image(planted):
    frame = bench.load(planted)
    lidar = frame[frame.method == "lidar"]
    assert lidar.groupby("image").extras.unique().map(list).to_list() == [[0], [0], [0], [2]]
    assert lidar[lidar.image == 3]["extras.asked"].eq(1).all()
    assert not lidar[lidar.image == 3].strict.any() and (lidar.distinct == 3).all()
