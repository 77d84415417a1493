"""The report of several domains: gains in a common unit, controls at equal calls, verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from bench import stats
from bench.report.build import build
from bench.report.controls import CHEAPER
from bench.report.domains.controls import BEST, against
from bench.report.domains.page import report
from bench.report.domains.read import read
from bench.report.domains.verdicts import Verdict, family

PROMPTS = 24
# By label: gain in the reward, samples through the denoiser, and the method's settings.
PICTURES = {
    "vanilla": (0.0, 100, {}),
    "lidar": (0.5, 200, {"efr": {"lookahead": {"n": 10}}}),
    "best_of_n-2": (0.2, 200, {"steer": {"best_of_n": {"n": 2}}}),
    "best_of_lookahead-10": (0.3, 100, {"efr": {"lookahead": {"n": 10}}}),
    "best_of_lookahead-20": (0.8, 200, {"efr": {"lookahead": {"n": 20}}}),
    "best_of_lookahead-40": (2.0, 400, {"efr": {"lookahead": {"n": 40}}}),
}
POINTS = {key: PICTURES[key] for key in ("vanilla", "lidar", "best_of_n-2")}
TARGET = 0.3  # the exact target's reward


def cell(folder: Path, label: str, domain: str, gain: float, calls: int, method: dict, **changes):
    """A cell whose rewards are vanilla's and ``gain`` more, in twice the spread on points."""
    name = label.split("-")[0]
    points = domain != "miniature"
    about = {"judge": {"name": "truth", "kind": "truth"}, "reward": "quadratic"}
    about = about | {"scores": ["quadratic"]} if points else {}
    path = synthetic.cell(
        folder, "vanilla", name=f"{label}-{domain.replace(' ', '')}", pictures=False, total=PROMPTS,
        method={"name": name} | method, **(about | changes),
    )  # fmt: skip
    rng, records = np.random.default_rng(7), synthetic.read(path)
    for one in records:
        noise = (2 if points else 1) * rng.normal(size=4)
        own = gain * (1 + 0.1 * rng.normal())
        one["scores"] = {"quadratic" if points else "preference": (noise + own).tolist()}
        one["calls"]["denoise"]["denoiser"] = calls
        if points:
            w2 = 3.0 if name == "lidar" else 4.0
            one["distance"] = {"w2": w2, "w2_floor": 2.0, "mmd": 1.0, "mmd_floor": 1.0}
            one |= {"target": {"quadratic": TARGET}, "target_diversity": 1.0}
            one |= {"geneval": None, "reasons": None, "images": one["images"][:1]}
        one["tag"] = "separated" if points else one["tag"]
    synthetic.write(path, records)
    return path


def domain(folder: Path, name: str, cells: dict, **changes) -> None:
    own, _, dimension = name.partition(" ")
    extra = {"path": "vp", "dimension": int(dimension)} if dimension else {}
    backbone = {"name": own, "kind": own, **extra}
    for label, (gain, calls, method) in cells.items():
        cell(folder, label, name, gain, calls, method, backbone=backbone, **changes)


@pytest.fixture
def several(tmp_path: Path) -> Path:
    domain(tmp_path, "miniature", PICTURES)
    domain(tmp_path, "mixture 64", POINTS)
    domain(tmp_path, "mixture 8", POINTS)
    return tmp_path


def scores(folder: Path, name: str, reward: str) -> np.ndarray:
    return np.array([one["scores"][reward] for one in synthetic.read(folder / "cells" / name)])


def test_domains_are_backbones_and_of_the_mixture_its_dimensions_in_order(several: Path) -> None:
    domains, left_out = read(several)
    assert [d.name for d in domains] == ["miniature", "mixture, vp, D = 8",
                                         "mixture, vp, D = 64"]  # fmt: skip
    assert not left_out and all(len(d.tags) == PROMPTS for d in domains)


def test_a_gain_is_in_standard_deviations_of_vanilla_s_images_about_their_prompt(
    several: Path,
) -> None:
    pictures, *_ = read(several)[0]
    vanilla = scores(several, "vanilla-miniature", "preference")
    mine = scores(several, "lidar-miniature", "preference")
    unit = np.sqrt(vanilla.var(axis=1, ddof=1).mean())
    found = pictures.gain_of("lidar-miniature")
    assert pictures.unit == pytest.approx(unit)
    assert found.value == pytest.approx((mine - vanilla).mean() / unit)
    assert pictures.gain_of("vanilla-miniature").value == 0


def test_its_interval_is_that_of_a_ratio_drawn_by_prompt(several: Path) -> None:
    """By the delta method."""
    points = read(several)[0][1]
    vanilla = scores(several, "vanilla-mixture8", "quadratic")
    mine = scores(several, "lidar-mixture8", "quadratic")
    gaps, variances = (mine - vanilla).mean(axis=1), vanilla.var(axis=1, ddof=1)
    unit, gain = np.sqrt(variances.mean()), gaps.mean() / np.sqrt(variances.mean())
    influence = (gaps - gaps.mean()) / unit - gain * (variances / unit**2 - 1) / 2
    reach = 2.069 * influence.std(ddof=1) / np.sqrt(PROMPTS)  # Student's, 23 degrees of freedom
    found = points.gain_of("lidar-mixture8")
    assert found.high - found.value == pytest.approx(reach, rel=0.15)
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_the_control_is_read_off_at_lidar_s_own_calls(several: Path) -> None:
    pictures = read(several)[0][0]
    found = against(pictures, "lidar-miniature")
    gain = dict(zip(pictures.cells, pictures.gain.value, strict=True))
    mine = gain["lidar-miniature"]
    assert {own.where for own in found.values()} == {"matched"}
    # Not the cheaper setting, nor the dearer one that gains most.
    expected = mine - gain["best_of_lookahead-20-miniature"]
    assert found["best_of_lookahead"].value == pytest.approx(expected)
    assert found["best_of_n"].value == pytest.approx(mine - gain["best_of_n-2-miniature"])
    assert found[BEST].control == "best_of_lookahead"
    assert found[BEST].value == pytest.approx(expected)
    assert found[BEST].loses() and found["best_of_n"].wins()


def test_between_its_settings_a_control_is_on_the_line_in_log_calls(tmp_path: Path) -> None:
    """Best-of-1 is vanilla, Best-of-4 at four times its calls, LiDAR at twice: half the way."""
    cells = {key: PICTURES[key] for key in ("vanilla", "lidar")}
    cells["best_of_n-4"] = (0.4, 400, {"steer": {"best_of_n": {"n": 4}}})
    domain(tmp_path, "miniature", cells)
    (pictures,), _ = read(tmp_path)
    gain = dict(zip(pictures.cells, pictures.gain.value, strict=True))
    expected = gain["lidar-miniature"] - gain["best_of_n-4-miniature"] / 2
    assert against(pictures, "lidar-miniature")[BEST].value == pytest.approx(expected)


def test_a_win_over_a_control_at_fewer_calls_stays_open(tmp_path: Path) -> None:
    cells = {k: PICTURES[k] for k in ("vanilla", "lidar", "best_of_lookahead-10")}
    domain(tmp_path, "miniature", cells)
    (pictures,), _ = read(tmp_path)
    best = against(pictures, "lidar-miniature")[BEST]
    assert best.where == CHEAPER and best.stands_in == 1 and best.at().low > 0
    assert not best.wins()
    verdict = Verdict(pictures, "lidar-miniature", best)
    assert verdict.outcomes() == ["gains", "open"]
    assert "a control was run at fewer calls alone: open" in verdict.sentence()


def test_verdicts_say_gain_loss_and_overshoot_and_are_counted(several: Path) -> None:
    made = report(several)
    pictures, eight, sixty_four, count = made.lines[-4:]
    assert pictures.startswith("miniature: at 2.00× vanilla's calls LiDAR gains 0.")
    assert "and loses 0." in pictures and "to its own best lookahead samples" in pictures
    assert eight.startswith("mixture, vp, D = 8: ") and "over Best-of-N" in eight
    domains, _ = read(several)
    over = domains[1].in_units(domains[1].of("lidar-mixture8", "overshoot"))
    mine = scores(several, "lidar-mixture8", "quadratic")
    assert over.value == pytest.approx((mine.mean() - TARGET) / domains[1].unit)
    assert "the target's reward" in eight and "the target's reward" in sixty_four
    near = "nearer to the target than those of best_of_n: 1.50 against 2.00 of the floor (-0.50 ["
    assert near in eight and "target" not in pictures
    assert count.startswith("8 verdicts") and "99.38%" in count


def test_bonferroni_s_level_takes_back_what_one_verdict_alone_would_call() -> None:
    class Called(Verdict):
        def outcomes(self, level: float = stats.LEVEL) -> list[str]:
            return ["gains" if level <= stats.LEVEL else "ties", "ties"]

    said = family([Called(None, "", None)] * 3)  # type: ignore[arg-type]
    assert said.startswith("6 verdicts") and "0.3 would be called one" in said
    assert "Of the 3 differences called, 0 stand at 99.17%" in said


def test_build_writes_the_page_its_tables_and_the_figure(several: Path) -> None:
    text = build(several).read_text()
    gains = pd.read_csv(several / "tables" / "gains.csv").set_index("cell")
    assert len(gains) == len(PICTURES) + 2 * len(POINTS)
    assert gains.loc["lidar-mixture64", "distance"] == 1.5
    assert gains.loc["lidar-mixture64", "calls"] == 2
    assert gains.overshoot.notna().sum() == 2 * len(POINTS)
    assert gains.loc["best_of_n-2-miniature", "geneval.change"] == pytest.approx(
        gains.loc["best_of_n-2-miniature", "geneval"] - gains.loc["vanilla-miniature", "geneval"]
    )
    drawn = set(gains.index[gains.drawn & (gains.domain == "miniature")])
    kept = ("vanilla", "lidar", "best_of_n-2", "best_of_lookahead-20")
    assert drawn == {f"{label}-miniature" for label in kept}
    controls = pd.read_csv(several / "tables" / "controls.csv")
    assert len(controls) == 2 + 1 + 1
    assert (several / "figures" / "domains.png").stat().st_size > 0
    for name in ("gains", "controls", "domains"):
        assert f"(tables/{name}.csv)" in text
    assert "8 verdicts" in text and "GenEval" in text and "distance / floor 1.500" in text


def test_how_many_strings_are_valid_stands_beside_the_gain(several: Path) -> None:
    for path in several.glob("cells/*mixture8"):
        records = synthetic.read(path)
        for one in records:
            one["strings"] = {"valid": 0.75}
        synthetic.write(path, records)
    assert "valid 0.750" in report(several).document.sections[1].parts[1].shown.to_string()


def test_a_folder_of_one_domain_gets_its_usual_report(tmp_path: Path, undrawn: None) -> None:
    domain(tmp_path, "miniature", {key: PICTURES[key] for key in ("vanilla", "lidar")})
    assert "## Results" in build(tmp_path).read_text()


def test_the_mixture_alone_gets_its_usual_report_in_several_dimensions(tmp_path: Path) -> None:
    for name in ("mixture 4", "mixture 8"):
        domain(tmp_path, name, {"vanilla": POINTS["vanilla"]})
    assert "every method where the target is known" in build(tmp_path).read_text()


def test_another_reward_within_a_backbone_is_refused_as_ever(several: Path) -> None:
    domain(several, "miniature", {"date": PICTURES["lidar"]}, reward="clip")
    with pytest.raises(ValueError, match="cells that cannot share a report"):
        build(several)


@pytest.mark.parametrize(("key", "value"), [("steps", 10), ("seed", 3), ("images", 8)])
def test_another_target_within_a_domain_is_one_line_that_names_it(
    several: Path, key: str, value: int
) -> None:
    domain(several, "mixture 8", {"smc": POINTS["lidar"]}, **{key: value})
    with pytest.raises(ValueError, match=f"mixture, vp, D = 8 differ in {key}") as refused:
        build(several)
    assert "\n" not in str(refused.value)


def test_a_domain_whose_vanilla_has_not_come_far_is_left_out_by_name(several: Path) -> None:
    path = several / "cells" / "vanilla-mixture8"
    synthetic.write(path, synthetic.read(path)[:3])
    made = report(several)
    assert made.document.facts["domains"] == "2"
    assert made.lines[0].startswith("mixture, vp, D = 8: left out, vanilla has not finished")


def test_a_single_prompt_a_task_gives_gains_without_intervals_or_verdicts(tmp_path: Path) -> None:
    domain(tmp_path, "miniature", PICTURES)
    domain(tmp_path, "mixture 8", POINTS)
    for path in tmp_path.glob("cells/*"):
        records = synthetic.read(path)[:6]
        synthetic.write(path, [one | {"tag": f"task {one['index']}"} for one in records])
    made = report(tmp_path)
    assert "[–]" in (shown := made.brief.to_string()) and "nan" not in shown
    assert any("no interval and no verdict" in line for line in made.lines)
