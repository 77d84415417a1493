"""Verdicts on planted data: what holds, what does not, and what nobody can tell."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from bench import stats
from bench.report.document import Bullets, Table
from bench.report.evidence import Evidence, gather
from bench.report.lidar.verdicts import CLAIMS, cost, estimate, quality, questions, verdicts
from bench.report.lidar.verdicts.base import FAILS, HOLDS, UNKNOWN, above, every
from bench.report.load import load
from bench.report.sections import claim_section, verdict_section

PUBLISHED = Path(__file__).parents[2] / "results" / "published"
NOWHERE = Path("nowhere.csv")


def evidence(folder: Path, estimators: Path = NOWHERE) -> Evidence:
    return gather(load(folder), estimators)


def plant(folder: Path, kind: str, *, name: str | None = None, method=None, **effect: float):
    """A cell of 96 prompts: ``right``, ``gain``, ``judge``, ``diversity``, ``ratio``."""
    values = {"right": 0.5, "gain": 0.0, "judge": 0.0, "diversity": 0.3, "ratio": 1.0} | effect
    changes = {"effect": tuple(values.values()), "total": 96, "pictures": False}
    synthetic.cell(folder, kind, name=name, method=method or {"name": kind}, **changes)


def date(folder: Path, every: int, right: float, ratio: float) -> None:
    settings = {"name": "date", "steer": {"embedding": {"every": every}}}
    plant(folder, "date", name=f"date{every}", method=settings, right=right, ratio=ratio)


def lidar(folder: Path, n: int = 50, **effect: float) -> None:
    plant(folder, "lidar", name=f"lidar{n}", method=synthetic.lidar(n=n), **effect)


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


@pytest.mark.parametrize(("right", "said"), [(0.1, False), (0.9, True)])
def test_a_quality_that_vanilla_has_too_is_said_to_be_no_gain(tmp_path, right, said) -> None:
    plant(tmp_path, "vanilla", right=right)
    date(tmp_path, 1, 0.6, 8.0)
    date(tmp_path, 2, 0.5, 4.0)
    lidar(tmp_path, 9, right=0.4, ratio=1.5)
    lidar(tmp_path, 50, right=0.8, ratio=3.0)
    measured = cost.speedup(evidence(tmp_path)).measured
    assert measured.startswith("at GenEval 0.")
    assert ("no more than vanilla's" in measured) == said


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
    found = estimate.taylor(evidence(folder, path))
    assert found.outcome == outcome and f"λ^{tweedie:.1f}" in found.measured
    assert estimate.taylor(evidence(folder)).outcome == UNKNOWN


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
    assert found.outcome == UNKNOWN and "holds up to n = 50" in found.reason
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
    ("diversity", "collapsed", "kept", "free"),
    [(0.09, HOLDS, FAILS, FAILS), (0.2, FAILS, FAILS, FAILS), (0.28, FAILS, HOLDS, FAILS),
     (0.2995, FAILS, HOLDS, HOLDS), (0.4, FAILS, HOLDS, HOLDS)],
)  # fmt: skip
def test_what_becomes_of_diversity(tmp_path, diversity, collapsed, kept, free) -> None:
    plant(tmp_path, "vanilla")
    plant(tmp_path, "smc", method=synthetic.smc("fk_smc", {}), diversity=diversity)
    lidar(tmp_path, diversity=diversity)
    found = evidence(tmp_path)
    assert quality.collapse(found).outcome == collapsed
    assert quality.keeps(found).outcome == kept
    assert questions.diversity(found).outcome == free


def test_smc_of_another_population_says_nothing_of_four(tmp_path: Path) -> None:
    plant(tmp_path, "vanilla")
    many = synthetic.smc("fk_smc", {"steer": {}})
    many["steer"]["smc"]["particles"] = 16
    plant(tmp_path, "smc", method=many, diversity=0.05)
    assert quality.collapse(evidence(tmp_path)).outcome == UNKNOWN


@pytest.mark.parametrize(("gain", "outcome"), [(0.9, HOLDS), (0.1, FAILS)])
def test_adding_to_smc_is_measured_against_its_own_part(tmp_path, gain, outcome) -> None:
    plant(tmp_path, "smc", name="alone", method=synthetic.smc("fk_smc", {}), gain=0.5)
    both = synthetic.smc("lidar_smc", synthetic.lidar())
    plant(tmp_path, "smc", name="both", method=both, gain=gain)
    assert quality.with_smc(evidence(tmp_path)).outcome == outcome
    other = synthetic.smc("fk_smc", {})
    other["efr"]["tweedie"]["scale"] = 1.0
    folder = tmp_path / "other"
    plant(folder, "smc", name="alone", method=other, gain=0.5)
    plant(folder, "smc", name="both", method=both, gain=gain)
    assert quality.with_smc(evidence(folder)).outcome == UNKNOWN  # another scale of its part


@pytest.mark.parametrize(("right", "outcome"), [(0.9, HOLDS), (0.2, FAILS), (0.5, UNKNOWN)])
def test_gains_elsewhere_and_at_a_control_s_cost(tmp_path: Path, right, outcome) -> None:
    plant(tmp_path, "vanilla")
    lidar(tmp_path, right=right, ratio=4.0)
    for n in (2, 8):
        settings = {"name": "best_of_n", "steer": {"best_of_n": {"n": n}}}
        plant(tmp_path, "best_of_n", name=f"bon{n}", method=settings, ratio=float(n))
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
        assert bool(verdict.reason) == (verdict.outcome == UNKNOWN)


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
