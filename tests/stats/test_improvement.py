"""Probability of improvement against loops and its symmetry."""

import numpy as np
import pytest
from planted import TASKS, rng
from scipy.stats import mannwhitneyu

from bench import stats


def test_it_is_the_mean_over_tasks_of_the_share_of_prompts_won_ties_half() -> None:
    method, reference = (rng(s).integers(0, 5, size=len(TASKS)) / 4 for s in (1, 2))
    naive = []
    for task in sorted(set(TASKS)):
        won = [
            1.0 if m > r else 0.5 if m == r else 0.0
            for m, r, t in zip(method, reference, TASKS, strict=True)
            if t == task
        ]
        naive.append(sum(won) / len(won))
    found = stats.improvement(method, reference, TASKS, stats.resample(TASKS, 100, rng()))
    assert found.value == pytest.approx(sum(naive) / len(naive))
    assert found.low < found.value < found.high


def test_on_one_prompt_a_task_it_is_the_mann_whitney_statistic_over_tasks() -> None:
    method, reference = np.array([1.0, 3.0, 2.0]), np.array([2.0, 1.0, 2.0])
    naive = np.mean(
        [mannwhitneyu([m], [r]).statistic for m, r in zip(method, reference, strict=True)]
    )
    found = stats.improvement(
        method, reference, list("abc"), stats.resample("a b c".split(), 5, rng())
    )
    assert found.value == naive
    assert not found.known


def test_either_way_around_they_add_to_one_and_equal_methods_give_a_half() -> None:
    method, reference = rng(1).normal(size=25), rng(2).normal(size=25)
    draws = stats.resample(TASKS, 200, rng())
    there = stats.improvement(method, reference, TASKS, draws)
    back = stats.improvement(reference, method, TASKS, draws)
    assert there.value + back.value == pytest.approx(1)
    assert there.low + back.high == pytest.approx(1)
    same = stats.improvement(method, method, TASKS, draws)
    assert (same.low, same.value, same.high) == pytest.approx((0.5, 0.5, 0.5))


def test_it_ignores_how_much_is_gained() -> None:
    draws = stats.resample(TASKS, 50, rng())
    gain = np.full(25, -0.01)
    gain[0] = 100
    assert stats.improvement(gain, np.zeros(25), TASKS, draws).value < 0.1
