"""The sentences that a report opens with."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic

from bench import stats
from bench.report import headline
from bench.report.contrasts import Contrast
from bench.report.evidence import Evidence, gather
from bench.report.load import load

# Per method as `synthetic.EFFECTS`: right, reward, judge, diversity, cost
GOOD = (0.95, 0.6, 0.0, 0.03, 2.0)
POOR = (0.05, 0.4, -0.2, 0.3, 2.0)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """LiDAR, far better and hardly diverse; UG at about its calls, far worse, as its judge says."""
    synthetic.cell(tmp_path, "vanilla", total=48, pictures=False)
    synthetic.cell(tmp_path, "lidar", total=48, effect=GOOD, pictures=False)
    synthetic.cell(tmp_path, "ug", total=48, effect=POOR, pictures=False)
    return gather(load(tmp_path))


def test_it_names_the_best_method_at_like_calls_with_its_interval(evidence: Evidence) -> None:
    first, *_ = headline.headline(evidence)
    best = evidence.summary.set_index("method").loc["lidar"]
    value = f"{best.geneval:.3f} [{best['geneval.low']:.3f}, {best['geneval.high']:.3f}]"
    assert first.startswith(
        f"Of 2 methods at about twice vanilla's calls, LiDAR scores best by GenEval: {value}, "
    )
    assert "cannot tell" not in first


def test_what_the_prompts_cannot_tell_apart_is_said(tmp_path: Path) -> None:
    synthetic.cell(tmp_path, "vanilla", total=12, pictures=False)
    synthetic.cell(tmp_path, "lidar", total=12, effect=(0.5, 0, 0, 0.3, 2), pictures=False)
    synthetic.cell(tmp_path, "ug", total=12, effect=(0.5, 0, 0, 0.3, 2), pictures=False)
    first, second, *_ = headline.headline(gather(load(tmp_path)))
    assert "; 12 prompts cannot tell it from " in first
    assert second.startswith("12 prompts cannot tell LiDAR from vanilla (")


def test_a_control_at_equal_calls_is_compared_by_its_paired_difference(tmp_path: Path) -> None:
    synthetic.cell(tmp_path, "vanilla", total=48, pictures=False)
    synthetic.cell(tmp_path, "lidar", total=48, effect=GOOD, pictures=False)
    samples = {"name": "best_of_lookahead"}
    synthetic.cell(
        tmp_path, "lidar", name="lookahead", total=48, effect=POOR, pictures=False, method=samples
    )
    evidence = gather(load(tmp_path))
    (sentence,) = (s for s in headline.headline(evidence) if "lookahead samples" in s)
    gap = evidence.difference("lidar0123456789", "lookahead", "geneval")
    assert f"scores above its own best lookahead samples at equal calls ({gap.value:+.3f}" in (
        sentence
    )


@pytest.mark.parametrize(("right", "told"), [(0.97, True), (0.05, False)])
def test_a_control_of_fewer_calls_is_told_unless_it_loses(
    tmp_path: Path, right: float, told: bool
) -> None:
    synthetic.cell(tmp_path, "vanilla", total=48, pictures=False)
    own = (0.5, 0.6, 0.0, 0.3, 2.0)
    synthetic.cell(tmp_path, "lidar", total=48, effect=own, pictures=False)
    cheap, samples = (right, 0.5, 0.0, 0.3, 1.0), {"name": "best_of_lookahead"}
    synthetic.cell(
        tmp_path, "lidar", name="lookahead", total=48, effect=cheap, pictures=False, method=samples
    )
    said = " ".join(headline.headline(gather(load(tmp_path))))
    assert ("scores below its own best lookahead samples at 0.50 of its calls" in said) == told
    assert ("lookahead samples" in said) == told


def test_what_is_given_away_is_always_told(evidence: Evidence) -> None:
    *_, price = headline.headline(evidence)
    assert price.startswith("LiDAR keeps 0.10 of vanilla's diversity")
    assert re.search(r" and takes (1\.9|2\.0)\d times vanilla's seconds\.$", price)
    worse = headline.price(evidence, "ug0123456789")
    assert "lowers the clip score (-0.2" in worse


def test_clutter_is_told_beside_vanillas(evidence: Evidence) -> None:
    clutter = evidence.summary.method.map({"vanilla": 0.02, "lidar": 0.09, "ug": 0.0})
    seen = replace(evidence, summary=evidence.summary.assign(clutter=clutter))
    assert "LiDAR leaves extra objects in 9% of its images (vanilla in 2%)" in headline.price(
        seen, "lidar0123456789"
    )


def test_right_images_that_are_no_copies_are_told_beside_vanillas(evidence: Evidence) -> None:
    share = evidence.summary.method.map({"vanilla": 0.5, "lidar": 0.44, "ug": 0.0})
    seen = replace(evidence, summary=evidence.summary.assign(distinct_share=share))
    assert "44% of its images right and no copies of one another (vanilla 50%)" in headline.price(
        seen, "lidar0123456789"
    )


def test_contrasts_that_were_declared_come_first(evidence: Evidence) -> None:
    found = stats.Interval(0.01, -0.02, 0.04, 48)
    cells = ("lidar0123456789", "vanilla0123456789")
    one = Contrast("LiDAR less vanilla", cells, "", found, found, 0.4, (2.0, 1.0))
    other = Contrast("LiDAR less nothing", reason="its cells are not here")
    first, *rest = headline.headline(replace(evidence, contrasts=[one, other]))
    assert first == (
        "As declared before the run, in GenEval: LiDAR less vanilla +0.010 [-0.020, +0.040], "
        "equivalent; LiDAR less nothing could not be measured (its cells are not here)."
    )
    assert not any("scores above vanilla" in sentence for sentence in rest)


def test_one_prompt_a_task_decides_nothing(tmp_path: Path) -> None:
    for method in ("vanilla", "lidar"):
        synthetic.cell(tmp_path, method, total=6, pictures=False)
    said = headline.headline(gather(load(tmp_path)))
    assert said[0] == "6 prompts, one a task, allow no intervals: nothing is decided here."
    assert "nan" not in " ".join(said)


def test_images_of_weights_that_were_never_trained_have_no_headline(tmp_path: Path) -> None:
    backbone = {"name": "sd15", "weights": "random"}
    for method in ("vanilla", "lidar"):
        synthetic.cell(tmp_path, method, total=6, pictures=False, backbone=backbone)
    assert headline.headline(gather(load(tmp_path))) == ()


def test_vanilla_alone_has_its_score_and_no_price(tmp_path: Path) -> None:
    synthetic.cell(tmp_path, "vanilla", total=12, pictures=False)
    assert headline.headline(gather(load(tmp_path))) == ()
