"""Holm's correction, p-values of intervals, and what is decided against a margin."""

import numpy as np
import pytest
from planted import unstratified
from scipy import stats as known

from bench import stats


def naive(p: list[float], alpha: float) -> list[bool]:
    """Step-down by the book: go on while the smallest left is at most alpha over their number."""
    left, rejected = list(range(len(p))), [False] * len(p)
    while left:
        smallest = min(left, key=lambda k: p[k])
        if p[smallest] > alpha / len(left):
            break
        rejected[smallest] = True
        left.remove(smallest)
    return rejected


def test_holm_decides_as_the_step_down_procedure_does() -> None:
    rng = np.random.default_rng(0)
    for size in (1, 2, 3, 7, 15):
        for _ in range(50):
            p = (rng.random(size) ** 4).tolist()
            for alpha in (0.01, 0.05, 0.3):
                assert (stats.holm(p) <= alpha).tolist() == naive(p, alpha)


def test_holm_of_known_families() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.5, 0.9]).tolist() == [1, 1]
    assert stats.holm([0.04]).tolist() == [0.04] and stats.holm([]).size == 0


def test_the_p_value_of_a_mean_is_that_of_student_s_test() -> None:
    values = np.random.default_rng(1).normal(0.3, 1, 30)
    reach = stats.interval.quantile_t(29) * values.std(ddof=1) / 30**0.5
    found = stats.Interval(values.mean(), values.mean() - reach, values.mean() + reach, 30)
    for threshold in (0.0, 0.2, 0.9):
        expected = known.ttest_1samp(values, threshold).pvalue
        assert stats.p_value(found, 29, threshold) == pytest.approx(expected)


@pytest.mark.parametrize(("threshold", "below"), [(0.09, True), (0.11, False), (0.49, False)])
def test_a_p_value_is_below_a_twentieth_where_the_interval_leaves_the_threshold_out(
    threshold, below
) -> None:
    skewed = stats.Interval(0.2, 0.1, 0.5, 20)
    assert (stats.p_value(skewed, 14, threshold) < 0.05) == below
    assert stats.p_value(stats.Interval(0.2, np.nan, np.nan, 1), 1) == 1
    assert stats.p_value(stats.Interval(0.2, 0.2, 0.2, 9), 8) == 0


@pytest.mark.parametrize(
    ("low", "high", "p", "answer"),
    [
        (0.06, 0.2, 0.001, "better"),
        (0.01, 0.04, 0.01, "better, by less than the margin"),
        (0.01, 0.04, 0.2, "equivalent"),  # not decided after the correction
        (-0.2, -0.06, 0.001, "worse"),
        (-0.04, -0.01, 0.01, "worse, by less than the margin"),
        (-0.049, 0.049, 0.9, "equivalent"),
        (-0.05, 0.02, 0.9, "not decided"),  # an end on the margin is not within it
        (-0.02, 0.08, 0.3, "not decided"),
        (np.nan, np.nan, 1.0, "not decided"),
    ],
)
def test_a_tie_is_no_equivalence(low: float, high: float, p: float, answer: str) -> None:
    assert stats.answer(stats.Interval((low + high) / 2, low, high, 20), p, 0.05) == answer


def test_of_three_contrasts_without_a_difference_one_is_decided_in_a_twentieth_of_runs() -> None:
    """And of three whose difference is the margin one is called equivalent as seldom."""
    rng, draws = np.random.default_rng(2), unstratified(40, 200)
    wrong, equal, runs = 0, 0, 600
    for _ in range(runs):
        # One reference in all three, as vanilla would be: they depend on each other.
        values = (rng.normal(0, 1, (3, 40)) - rng.normal(0, 1, 40)) / 20
        intervals = [stats.mean(own, draws) for own in values]
        p = stats.holm([stats.p_value(one, draws.freedom) for one in intervals])
        wrong += any(p <= 0.05)
        level = 1 - 0.05 / 3
        shifted = [stats.mean(own + 0.05, draws, level=level) for own in values]
        equal += any(stats.equivalent(one, 0.05) for one in shifted)
    assert wrong / runs < 0.07 and equal / runs < 0.07
    assert wrong > 0.01 * runs and equal > 0.002 * runs
