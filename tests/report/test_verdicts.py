"""Verdicts on planted data: what holds, what does not, and what nobody can tell."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from planting import date, evidence, lidar, plant

from bench import stats
from bench.report.document import Bullets, Table
from bench.report.lidar.verdicts import CLAIMS, corrections, cost, estimate, quality, verdicts
from bench.report.lidar.verdicts.base import (
    FAILS,
    HOLDS,
    UNKNOWN,
    VACUOUS,
    Verdict,
    above,
    chance,
    every,
    family,
    of_ratio,
    together,
)
from bench.report.verdict_section import claim_section, verdict_section

PUBLISHED = Path(__file__).parents[2] / "results" / "published"


def interval(low: float, high: float) -> stats.Interval:
    return stats.Interval((low + high) / 2, low, high, 20)


def test_an_interval_decides_only_where_it_is_wholly_on_one_side() -> None:
    assert above(interval(0.1, 0.2)) == HOLDS
    assert above(interval(-0.2, -0.1)) == FAILS
    assert above(interval(-0.1, 0.2)) == UNKNOWN
    assert above(interval(0.1, 0.2), 0.15) == UNKNOWN
    assert above(stats.Interval(0.5, np.nan, np.nan, 1)) == above(None) == UNKNOWN
    assert every([HOLDS, HOLDS]) == HOLDS and every([HOLDS, UNKNOWN]) == UNKNOWN
    assert every([UNKNOWN, FAILS]) == FAILS and every([]) == UNKNOWN


@pytest.mark.parametrize(
    ("reached", "spent", "outcome"), [(0.95, 1, HOLDS), (0.95, 20, FAILS), (0.2, 1, FAILS)]
)
def test_speedup_over_date_at_its_best(tmp_path: Path, reached, spent, outcome) -> None:
    date(tmp_path, 5, 0.5, 2.0)
    date(tmp_path, 1, 0.7, 8.0)
    lidar(tmp_path, 9, right=0.15, ratio=spent)
    lidar(tmp_path, 50, right=reached, ratio=2 * spent)
    found = cost.speedup(evidence(tmp_path))
    assert found.outcome == outcome
    assert found.claim.published.startswith("about 9.5×")


@pytest.mark.parametrize(("right", "outcome"), [(0.1, HOLDS), (0.55, VACUOUS), (0.9, VACUOUS)])
def test_a_speedup_at_a_quality_that_vanilla_has_too_is_vacuous(tmp_path, right, outcome) -> None:
    plant(tmp_path, "vanilla", right=right)
    date(tmp_path, 1, 0.6, 8.0)
    date(tmp_path, 2, 0.5, 4.0)
    lidar(tmp_path, 9, right=0.45, ratio=1.2)
    lidar(tmp_path, 50, right=0.9, ratio=2.5)
    found = cost.speedup(evidence(tmp_path))
    assert found.outcome == outcome
    assert "DATE's best less vanilla's" in found.measured
    assert ("nobody need pay for it" in found.reason) == (outcome == VACUOUS)


def test_p_values_go_with_the_intervals_that_decide() -> None:
    value = interval(0.1, 0.3)
    assert chance(value) < 0.05 < chance(value, 0.12)
    assert of_ratio(interval(1.1, 1.3), 1.0) < 0.05 < of_ratio(interval(0.9, 1.3), 1.0)
    assert of_ratio(interval(0.0, 0.3), 1.0) == chance(None) == 1
    assert together(HOLDS, [0.01, 0.04]) == 0.04  # all must lie on one side
    assert together(FAILS, [0.01, 0.04]) == 0.02  # one is enough, of two
    assert together(UNKNOWN, [0.01]) == 1


def test_verdicts_by_intervals_are_corrected_together_and_it_is_said_which_changed() -> None:
    claims = [Verdict(claim, HOLDS, "", "", p) for claim, p in zip(
        (cost.SPEEDUP, cost.TIME, quality.LIFTS), (0.001, 0.03, 0.04), strict=True)]  # fmt: skip
    unknown = Verdict(quality.KEEPS, UNKNOWN, "", "covers 0", 1.0)
    exact = Verdict(estimate.ROOT_N, FAILS, "")
    vacuous = Verdict(quality.COLLAPSE, VACUOUS, "", "so has vanilla", 0.5)
    found = family([*claims, unknown, exact, vacuous])
    assert [v.outcome for v in found] == [HOLDS, UNKNOWN, UNKNOWN, UNKNOWN, FAILS, VACUOUS]
    assert [v.corrected for v in found] == [False, True, True, False, False, False]
    assert found[0].p == pytest.approx(0.005) and found[1].p == pytest.approx(0.12)
    assert "Holm's correction for 5 verdicts (p = 0.12)" in found[1].reason
    assert "5 of the 6 claims" in corrections(found) and "took back 3a, 5b." in corrections(found)
    assert "took back none" in corrections(family([claims[0]]))


def test_without_date_s_sweep_the_speedup_cannot_be_told(tmp_path: Path) -> None:
    date(tmp_path, 2, 0.6, 8.0)
    lidar(tmp_path, 50, ratio=2.0)
    found = cost.speedup(evidence(tmp_path))
    assert found.outcome == UNKNOWN and "was not swept" in found.reason
    assert "plain ratio of costs 4." in found.measured or "3.9" in found.measured


@pytest.mark.parametrize(
    ("few", "many", "outcome"), [(0.3, 0.8, HOLDS), (0.8, 0.3, FAILS), (0.5, 0.48, UNKNOWN)]
)
def test_growth_with_n(tmp_path: Path, few, many, outcome) -> None:
    lidar(tmp_path, 9, right=few)
    lidar(tmp_path, 200, right=many)
    found = estimate.more_samples(evidence(tmp_path))
    assert found.outcome == outcome and "n = 9 to 200" in found.measured
    assert estimate.more_steps(evidence(tmp_path)).outcome == UNKNOWN


def estimators(path: Path, powers: dict[str, float], n_power=-0.5, steps_power=-0.5) -> Path:
    """Probes whose errors follow planted powers: of λ by estimator, of n and of δ for LiDAR's."""
    rows = []
    for scale in (0.5, 1.0, 2.0, 4.0):
        for name, power in powers.items():
            own = {"estimator": name, "scale": scale, "value": scale**power, "label": name}
            rows.append(own | {"solver": "of this sweep alone"})
    rows += [{"n": n, "shift": n**n_power, "label": f"n{n}"} for n in (10, 100, 1000)]
    rows += [{"n": 5000, "steps": d, "shift": d**steps_power, "label": f"d{d}"} for d in (2, 8, 32)]
    usual = {"estimator": "lookahead", "scale": 1.0, "dimension": 2, "perturbations": 0, "n": 50,
             "steps": 5, "solver": "dpm", "value": 1.0, "shift": 1.0}  # fmt: skip
    pd.DataFrame([usual | row for row in rows]).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("tweedie", "lookahead", "outcome"), [(3, 0, HOLDS), (3, 1.6, FAILS), (0.1, 0, FAILS)]
)
def test_growth_with_lambda_is_read_off_the_ground_truth(
    folder: Path, tweedie, lookahead, outcome
) -> None:
    path = estimators(folder / "e.csv", {"tweedie": tweedie, "lookahead": lookahead})
    found = estimate.absolute(evidence(folder, path))
    assert found.outcome == outcome and f"λ^{tweedie:.1f}" in found.measured
    assert estimate.relative(evidence(folder, path)).outcome == FAILS  # planted as constant
    assert estimate.absolute(evidence(folder)).outcome == UNKNOWN


@pytest.mark.parametrize(("n", "steps"), [(-0.5, -1.0), (-0.2, -0.1)])
def test_rates_are_read_off_the_ground_truth(folder: Path, n: float, steps: float) -> None:
    path = estimators(folder / "e.csv", {"tweedie": 2, "lookahead": 0}, n, steps)
    found = evidence(folder, path)
    outcome = HOLDS if n == -0.5 else FAILS
    assert estimate.root_n(found).outcome == estimate.root_delta(found).outcome == outcome
    assert f"n^{n:.2f}" in estimate.root_n(found).measured


def test_target_sampling_is_compared_up_to_the_claimed_n(tmp_path: Path) -> None:
    lidar(tmp_path, 50, ratio=1.6)  # half of which is target sampling
    found = cost.target_time(evidence(tmp_path))
    assert found.outcome == UNKNOWN and "holds up to n = 50" in found.reason and found.p == 1
    lidar(tmp_path, 800, ratio=1.6)
    assert cost.target_time(evidence(tmp_path)).outcome == HOLDS
    lidar(tmp_path, 400, ratio=3.0)
    assert cost.target_time(evidence(tmp_path)).outcome == FAILS


@pytest.mark.parametrize(("held", "outcome"), [(1.02, HOLDS), (1.3, FAILS), (None, UNKNOWN)])
def test_target_sampling_s_memory_is_compared_above_what_was_resident(
    tmp_path: Path, held, outcome
) -> None:
    plant(tmp_path, "vanilla", name="vanilla")
    lidar(tmp_path, 800)
    path = tmp_path / "cells" / "lidar800"
    memory = held and {"allocated": 990, "target": 500 + 20 * held, "resident": 500, "vanilla": 20}
    memory = memory and {name: int(mib * 2**20) for name, mib in memory.items()}  # as on a CPU
    synthetic.write(path, [r | {"memory": memory} for r in synthetic.read(path)])
    found = cost.memory(evidence(tmp_path))
    assert found.outcome == outcome
    if held:
        whole = (500 + 20 * held) / 520
        assert f"n = 800: {held:.2f}×" in found.measured and f"{whole:.3f}×" in found.measured


@pytest.mark.parametrize(
    ("changes", "judged"),
    [
        ({}, True),
        ({"reward": "clip"}, False),
        ({"prompts": {"total": 96, "source": "file"}}, False),
    ],
)
def test_verdicts_are_of_the_backbone_s_reward_on_geneval_s_prompts_alone(
    tmp_path: Path, changes, judged
) -> None:
    for kind, right in (("vanilla", 0.1), ("lidar", 0.9)):
        effect = (right, 0.5 * (kind == "lidar"), 0.0, 0.3, 1.0)
        synthetic.cell(tmp_path, kind, effect=effect, total=96, pictures=False, **changes)
    own = evidence(tmp_path)
    found, listed = claim_section(own), verdict_section(own)
    assert bool(found.parts) == bool(listed.parts) == judged
    for part in found.parts:
        if isinstance(part, Table) and part.name == "verdicts":
            assert UNKNOWN not in set(part.shown["verdict"])
            assert part.full is not None and UNKNOWN in set(part.full["verdict"])


def test_a_single_cell_has_no_verdicts_read_off_another_folder(tmp_path: Path) -> None:
    plant(tmp_path, "vanilla")
    path = estimators(tmp_path / "e.csv", {"tweedie": 3, "lookahead": 0})
    own = evidence(tmp_path, path)
    assert claim_section(own).parts == verdict_section(own).parts == ()


def test_the_list_of_verdicts_leaves_out_those_read_off_another_folder(tmp_path: Path) -> None:
    for kind, right in (("vanilla", 0.1), ("lidar", 0.9)):
        effect = (right, 0.5 * (kind == "lidar"), 0.0, 0.3, 1.0)
        synthetic.cell(tmp_path, kind, effect=effect, total=96, pictures=False)
    own = evidence(tmp_path, estimators(tmp_path / "e.csv", {"tweedie": 3, "lookahead": 0}))
    (table,) = (
        part for part in claim_section(own).parts if getattr(part, "name", "") == "verdicts"
    )
    elsewhere = table.shown["measured here"].str.contains("ground_truth")
    *_, listed = verdict_section(own).parts
    assert isinstance(listed, Bullets) and elsewhere.any()
    assert len(listed.lines) == (~elsewhere).sum() > 0
    assert all(line[0] in "✓✗" and "ground_truth" not in line for line in listed.lines)


def test_every_claim_says_by_what_it_is_judged_and_why_it_is_not(folder: Path) -> None:
    found = verdicts(evidence(folder))
    assert len(found) == len(CLAIMS) == len({v.claim.number for v in found})
    for verdict in found:
        assert verdict.claim.published and verdict.claim.rule and verdict.measured
        assert bool(verdict.reason) == (verdict.outcome in (UNKNOWN, VACUOUS))
        assert "margin:g" not in verdict.claim.rule and "threshold:g" not in verdict.claim.rule


def test_published_figures_of_the_claims_are_those_of_the_tables() -> None:
    numbers = set()
    for path in PUBLISHED.glob("*.csv"):
        numbers |= {float(x) for x in re.findall(r"-?\d+\.\d+", path.read_text())}
    claims = [
        estimate.MORE_SAMPLES, estimate.MORE_STEPS, quality.HACKING, quality.LIFTS,
        quality.WITH_SMC, quality.WITH_BON, quality.WITH_DPO, cost.TIME, cost.MEMORY,
    ]  # fmt: skip
    for claim in claims:
        text = claim.published.replace("−", "-").replace("v1.5", "")
        found = [float(x) for x in re.findall(r"-?\d+\.\d+", text)]
        assert found and set(found) <= numbers, claim.published
