"""What the report says of the ground truth, from frames whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from bench import stats
from bench.report.truth import findings
from bench.report.truth.curves import growth, power, slope
from bench.report.truth.knobs import Sweep
from bench.report.truth.read import PERFECT
from bench.report.truth.summary import against, whole
from bench.report.truth.worlds import MIXTURE

SIZES, TAGS = (2, 8), ("overlapping", "separated")


def problems(label, factor, seed, spread=0.1, count=6):
    """Rows of one setting: distances about ``factor`` of the floor."""
    rng = np.random.default_rng(seed)
    rows = [(s, t, f"{t} {k} of {s}") for s in SIZES for t in TAGS for k in range(count)]
    frame = pd.DataFrame(rows, columns=["size", "tag", "prompt"])
    w2 = factor * np.exp(spread * rng.standard_normal(len(frame)))
    return frame.assign(label=label, method=label.split(" ")[0], form="quadratic", cell="c", w2=w2)


def test_two_settings_are_compared_problem_by_problem():
    one, other = problems("a", 1.0, 0, spread=1.0), problems("b", 1.0, 1)
    other["w2"] = 2 * one.w2  # problems differ by far more than the settings, which are paired
    rows = pd.concat([one, other.sample(frac=1, random_state=0), problems("c", 1.0, 2)])
    ratio = against(rows, "b", "a", MIXTURE)
    assert ratio.value == pytest.approx(2) and ratio.low == pytest.approx(2)
    assert against(rows, "a", "nobody", MIXTURE) is None


def test_a_duel_is_nearer_farther_or_a_tie():
    rows = pd.concat(
        [problems("lidar", 2.0, 0), problems("ug", 2.0, 1), problems("best_of_n (n 2)", 4.0, 2),
         problems("best_of_n (n 4)", 3.0, 3), problems("date", 1.2, 4)]
    )  # fmt: skip
    summary = rows.groupby(["label", "method"], as_index=False).w2.mean()
    said = list(findings.duels(summary, rows, MIXTURE, "lidar"))
    best, ug, date = (next(s for s in said if name in s) for name in ("best_of_n", "ug", "date"))
    assert "(n 4), the nearest of its 2 settings," in best and best.endswith(": nearer")
    assert ug.endswith(": a tie") and date.endswith(": farther")
    assert list(findings.duels(summary, rows, MIXTURE, None)) == []


def test_means_over_fewer_problems_are_not_set_beside_the_others():
    rows = {"a": 24, "b": 24, "c": 20, PERFECT: 48}
    summary = pd.DataFrame({"method": list(rows), "problems": list(rows.values())})
    assert list(whole(summary).method) == ["a", "b", PERFECT]
    assert whole(pd.DataFrame()).empty


def test_a_ratio_without_an_interval_is_no_tie():
    assert "too few" in findings.verdict(stats.Interval(1.0, np.nan, np.nan, 1))


def test_what_luck_explains_is_not_told_apart_from_a_perfect_sampler():
    rows = pd.concat([problems(PERFECT, 1.0, 0), problems("das", 1.0, 1), problems("ug", 2.0, 2)])
    groups = rows.groupby(["label", "method"], as_index=False).w2
    summary = groups.mean().assign(problems=24)
    ends = {"low": 0.99, "high": 1.01, "least": 0.8, "most": 1.2}
    summary = summary.assign(**{f"w2.{end}": value for end, value in ends.items()})
    perfect, alike, *_ = findings.samplers(summary, rows, MIXTURE)
    assert "1.0" in perfect and "from 0.80 to 1.20" in perfect and "24 problems" in perfect
    assert alike == "not told apart from a perfect sampler: das"
    apart = rows[rows.label != "das"]
    _, alike, *_ = findings.samplers(summary[summary.label != "das"], apart, MIXTURE)
    assert alike.endswith("no method")


@pytest.mark.parametrize(("w2", "edge"), [([3.0, 2.0, 4.0], False), ([3.0, 2.0, 1.0], True)])
def test_a_knob_tells_where_it_is_nearest_and_whether_the_sweep_ends_there(w2, edge):
    points = pd.DataFrame({"x": [1.0, 2.0, 4.0], "w2": w2, "w2.low": w2, "w2.high": w2})
    (said,) = findings.knobs([Sweep("DATE's ρ", "ρ = {x:g}", points)], "w2")
    best = points.x[points.w2.idxmin()]
    assert f"nearest to the target at ρ = {best:g}" in said
    assert ("the end of the sweep" in said) == edge and "3.00 at ρ = 1" in said


def probes(exponent, noise, x="n", y="shift", values=(50, 200, 800), count=12):
    """One estimator on ``count`` problems of each kind, each with a power of its own."""
    rng, rows = np.random.default_rng(3), []
    for tag in TAGS:
        for k in range(count):
            own = exponent + noise * rng.standard_normal()
            level = np.exp(rng.standard_normal())
            rows += [{"tag": tag, "problem": f"{tag} {k}", x: v, y: level * v**own} for v in values]
    return pd.DataFrame(rows)


def test_a_power_is_the_mean_of_the_problems_slopes_and_has_their_interval():
    frame = probes(-0.5, 0.1)
    found = power(frame, "n", "shift")
    each = np.array([slope(own.n, own["shift"]) for _, own in frame.groupby("problem")])
    assert found.value == pytest.approx(each.mean())
    naive = 2.07 * each.std(ddof=1) / len(each) ** 0.5
    assert found.high - found.value == pytest.approx(naive, rel=0.15)
    assert found.low < -0.5 < found.high
    logs = np.log(frame["shift"]).groupby(frame.n).mean()
    assert slope(frame.n.unique(), np.exp(logs)) == pytest.approx(found.value)
    partial = frame.drop(index=0)  # a problem that is not there at every n has no slope
    assert power(partial, "n", "shift").prompts == len(each) - 1


@pytest.mark.parametrize(
    ("exponent", "noise", "word"), [(2, 0.1, "fails"), (0, 0.1, "holds"), (0.5, 1, "is undecided")]
)
def test_an_error_has_grown_where_its_interval_says_so(exponent, noise, word):
    frame = probes(exponent, noise, "scale", "value", (0.25, 1, 4))
    factor = growth(frame, "scale", "value")
    ends = [own.value.iloc[-1] / own.value.iloc[0] for _, own in frame.groupby("problem")]
    assert factor.value == pytest.approx(np.exp(np.mean(np.log(ends))))
    assert findings.held(factor) == word


def test_the_slope_is_that_of_the_logarithms():
    assert slope([1, 10, 100], [5, 0.5, 0.05]) == pytest.approx(-1)
