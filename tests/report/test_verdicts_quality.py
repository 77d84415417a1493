"""Verdicts on rewards, diversity, clutter and controls: what holds, and what nobody can tell."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import synthetic
from planting import best_of_n, evidence, lidar, plant

from bench.report.lidar.verdicts import quality, questions
from bench.report.lidar.verdicts.base import FAILS, HOLDS, UNKNOWN, above


@pytest.mark.parametrize(
    ("gain", "judge", "right", "outcome"),
    [(0.8, -0.1, 0.5, HOLDS), (0.8, 0.1, 0.9, FAILS), (-0.8, -0.1, 0.5, FAILS),
     (0.8, 0.0, 0.5, UNKNOWN)],
)  # fmt: skip
def test_reward_hacking_needs_a_judge_that_fell(tmp_path, gain, judge, right, outcome) -> None:
    plant(tmp_path, "vanilla")
    plant(tmp_path, "ug", gain=gain, judge=judge, right=right)
    found = quality.hacking(evidence(tmp_path))
    assert found.outcome == outcome
    assert "jpeg" not in found.measured  # says nothing of quality


def test_without_the_guiding_reward_no_other_score_stands_in_for_it(tmp_path: Path) -> None:
    """UG and its vanilla are guided by different mixes: their guiding scores have no difference."""
    for kind, weight, right in (("vanilla", 0.4, 0.1), ("ug", 0.6, 0.9)):
        rewards = {"preference": {"kind": "mix", "of": {"clip": weight}}}
        effect = (right, 0.0, 0.0, 0.3, 1.0)
        synthetic.cell(tmp_path, kind, effect=effect, rewards=rewards, pictures=False)
    found = quality.hacking(evidence(tmp_path))
    assert (found.outcome, found.measured) == (UNKNOWN, "–")


def test_lifting_all_rewards(tmp_path: Path) -> None:
    plant(tmp_path, "vanilla")
    lidar(tmp_path, gain=0.5, judge=0.1, right=0.9)
    assert quality.lifts(evidence(tmp_path)).outcome == HOLDS
    plant(tmp_path, "lidar", name="other", method=synthetic.lidar(scale=1.0), judge=-0.1)
    plant(tmp_path, "lidar", name="third", method=synthetic.lidar(scale=3.0), judge=-0.1)
    assert quality.lifts(evidence(tmp_path)).outcome == FAILS  # its typical cell's


@pytest.mark.parametrize(
    ("diversity", "collapsed", "kept"),
    [(0.09, HOLDS, FAILS), (0.2, FAILS, FAILS), (0.2995, FAILS, HOLDS), (0.4, FAILS, HOLDS)],
)
def test_what_becomes_of_diversity_where_all_images_are_right(
    tmp_path, diversity, collapsed, kept
) -> None:
    plant(tmp_path, "vanilla", right=0.95)
    smc = synthetic.smc("fk_smc", {})
    plant(tmp_path, "smc", method=smc, diversity=diversity, right=0.95)
    lidar(tmp_path, diversity=diversity, right=0.95)
    found = evidence(tmp_path)
    assert quality.collapse(found).outcome == collapsed
    assert quality.keeps(found).outcome == kept
    assert "less 0.95 of vanilla's" in quality.keeps(found).measured


def test_diversity_among_wrong_images_is_none(tmp_path) -> None:
    """LiDAR's images differ less alone where some are wrong; where all are right they do not."""
    plant(tmp_path, "vanilla", right=0.9)
    lidar(tmp_path, right=0.9)
    path = tmp_path / "cells" / "lidar50"
    records = synthetic.read(path)
    for one in records:
        one["diversity"] = one["diversity"] if all(one["geneval"]) else 0.01
    synthetic.write(path, records)
    found = evidence(tmp_path)
    assert above(found.estimate("lidar50", "diversity.change")) == FAILS
    assert quality.keeps(found).outcome != FAILS
    few = tmp_path / "few"
    plant(few, "vanilla", right=0.1)
    lidar(few, right=0.1)
    assert "right in both is needed, there are 0" in quality.keeps(evidence(few)).reason


@pytest.mark.parametrize(("extra", "outcome"), [(0.0, HOLDS), (0.15, FAILS), (None, UNKNOWN)])
def test_more_detections_than_were_asked_for_are_clutter(tmp_path, extra, outcome) -> None:
    plant(tmp_path, "vanilla")
    lidar(tmp_path)
    rng = np.random.default_rng(0)
    for name, share in (("vanilla0123456789", 0.0), ("lidar50", extra)):
        if share is None:
            continue
        path = tmp_path / "cells" / name
        other = (rng.random((96, 4)) < share).astype(int).tolist()
        records = synthetic.read(path)
        for one, counts in zip(records, other, strict=True):
            one["extras"] = {"asked": [0] * 4, "other": counts}
        synthetic.write(path, records)
    found = questions.clutter(evidence(tmp_path))
    assert found.outcome == outcome
    if extra is not None:
        assert "of vanilla's; difference" in found.measured


def test_smc_of_another_population_says_nothing_of_four(tmp_path: Path) -> None:
    plant(tmp_path, "vanilla")
    many = synthetic.smc("fk_smc", {"steer": {}})
    many["steer"]["smc"]["particles"] = 16
    plant(tmp_path, "smc", method=many, diversity=0.05)
    assert quality.collapse(evidence(tmp_path)).outcome == UNKNOWN


@pytest.mark.parametrize(("gain", "outcome"), [(0.9, HOLDS), (0.1, FAILS), (0.5, UNKNOWN)])
def test_adding_to_smc_is_measured_against_its_own_part_at_equal_cost(
    tmp_path, gain, outcome
) -> None:
    plant(tmp_path, "smc", name="alone", method=synthetic.smc("fk_smc", {}), gain=0.5, ratio=2.0)
    both = synthetic.smc("lidar_smc", synthetic.lidar())
    plant(tmp_path, "smc", name="both", method=both, gain=gain, ratio=2.0)
    assert quality.with_smc(evidence(tmp_path)).outcome == outcome
    other = synthetic.smc("fk_smc", {})
    other["efr"]["tweedie"]["scale"] = 1.0
    folder = tmp_path / "other"
    plant(folder, "smc", name="alone", method=other, gain=0.5, ratio=2.0)
    plant(folder, "smc", name="both", method=both, gain=gain, ratio=2.0)
    assert quality.with_smc(evidence(folder)).outcome == UNKNOWN  # another scale of its part


def test_qualities_at_unequal_costs_are_not_compared(tmp_path) -> None:
    """LiDAR with Best-of-4 costs 8, Best-of-4 alone 4: what the former gains may be its cost's."""
    lidar_bon = synthetic.lidar() | {"name": "lidar_bon"}
    lidar_bon["steer"]["best_of_n"] = {"n": 4}
    plant(tmp_path, "lidar", name="both", method=lidar_bon, gain=0.9, ratio=8.0)
    best_of_n(tmp_path, 4, gain=0.5, ratio=4.0)
    found = quality.with_bon(evidence(tmp_path))
    assert found.outcome == UNKNOWN
    assert re.search(r"costs differ: [78].\d+× vanilla's seconds against [34].\d+×", found.reason)
    best_of_n(tmp_path, 8, gain=0.9, ratio=8.0)
    best_of_n(tmp_path, 16, gain=1.1, ratio=16.0)
    found = quality.with_bon(evidence(tmp_path))
    assert found.outcome == UNKNOWN and "covers 0" in found.reason  # at equal cost nothing is added


def test_a_tie_is_equality_only_within_the_margin(tmp_path) -> None:
    plant(tmp_path, "vanilla")
    lidar(tmp_path, right=0.98, ratio=4.0)
    best_of_n(tmp_path, 2, right=0.98, ratio=2.0)
    best_of_n(tmp_path, 8, right=0.98, ratio=8.0)
    found = questions.best_of_n(evidence(tmp_path))
    assert found.outcome == FAILS and "equivalent within ±0.05" in found.measured
    wide = tmp_path / "wide"
    lidar(wide, right=0.5, ratio=4.0)
    best_of_n(wide, 2, right=0.5, ratio=2.0)
    best_of_n(wide, 8, right=0.5, ratio=8.0)
    found = questions.best_of_n(evidence(wide))
    assert found.outcome == UNKNOWN and "nor does it lie within ±0.05" in found.reason


@pytest.mark.parametrize(("right", "outcome"), [(0.9, HOLDS), (0.2, FAILS), (0.5, UNKNOWN)])
def test_gains_elsewhere_and_at_a_control_s_cost(tmp_path: Path, right, outcome) -> None:
    plant(tmp_path, "vanilla")
    lidar(tmp_path, right=right, ratio=4.0)
    for n in (2, 8):
        best_of_n(tmp_path, n, ratio=float(n))
    found = evidence(tmp_path)
    assert questions.elsewhere(found).outcome == outcome
    assert questions.best_of_n(found).outcome == outcome
    assert questions.lookahead(found).outcome == UNKNOWN  # no such cell


def test_the_paper_s_own_setting_is_not_elsewhere(tmp_path: Path) -> None:
    for kind in ("vanilla", "lidar"):
        path = synthetic.cell(tmp_path, kind, backbone={"name": "sd15"}, steps=30,
                              reward="imagereward")  # fmt: skip
        renamed = [
            r | {"scores": {"imagereward": r["scores"]["preference"]}} for r in synthetic.read(path)
        ]
        synthetic.write(path, renamed)
    found = questions.elsewhere(evidence(tmp_path))
    assert found.outcome == UNKNOWN and "the paper's own setting" in found.reason
