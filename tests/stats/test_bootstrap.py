"""Draws of prompts: totals, moments, seeds, and what they refuse."""

import numpy as np
import pytest
from planted import TASKS, rng, unstratified

from bench import stats


def test_every_draw_keeps_each_tasks_total_weight() -> None:
    weights = stats.resample(TASKS, 50, rng()).weights
    for task in set(TASKS):
        of = np.array(TASKS) == task
        assert weights[:, of].sum(axis=1) == pytest.approx(np.full(50, of.sum()))
    assert len(np.unique(weights, axis=0)) > 45


def test_a_draw_takes_one_prompt_less_than_the_stratum_has() -> None:
    weights = unstratified(10, 100).weights
    counts = weights * 9 / 10
    assert counts == pytest.approx(np.round(counts))
    assert counts.sum(axis=1) == pytest.approx(np.full(100, 9))


def test_weights_have_the_moments_of_an_unbiased_variance() -> None:
    weights = unstratified(10, 20_000).weights
    assert weights.mean(axis=0) == pytest.approx(np.ones(10), abs=0.03)
    covariance = np.cov(weights.T)
    assert covariance.diagonal() == pytest.approx(np.ones(10), abs=0.05)
    assert covariance[np.triu_indices(10, 1)] == pytest.approx(np.full(45, -1 / 9), abs=0.05)


def test_spread_over_draws_is_the_textbook_standard_error_even_on_three_prompts() -> None:
    values = np.array([0.1, 0.9, 0.4])
    samples = unstratified(3, 100_000).weights @ values / 3
    assert samples.std() == pytest.approx(values.std(ddof=1) / np.sqrt(3), rel=0.01)


def test_same_seed_gives_the_same_draws_and_leaves_global_state_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    first = stats.resample(TASKS, 20, rng(3)).weights
    assert (first == stats.resample(TASKS, 20, rng(3)).weights).all()
    assert (before == np.random.get_state()[1]).all()  # type: ignore[index]


def test_freedom_is_prompts_less_strata_and_a_lonely_prompt_is_noticed() -> None:
    draws = stats.resample(TASKS, 5, rng())
    assert (draws.freedom, draws.prompts, draws.known) == (22, 25, True)
    lonely = stats.resample(["a", "a", "a", "b"], 5, rng())
    assert not lonely.known
    assert (lonely.weights[:, 3] == 1).all()


@pytest.mark.parametrize(("strata", "draws"), [([], 10), (["a"], 0)])
def test_no_prompts_or_no_draws_are_refused(strata: list[str], draws: int) -> None:
    with pytest.raises(ValueError, match="needs prompts and draws"):
        stats.resample(strata, draws, rng())


@pytest.mark.parametrize(
    ("values", "message"),
    [(np.ones(4), "over 3 prompts"), (np.array([1, 2, np.nan]), "NaN"), (np.ones(()), "shape")],
)
def test_values_of_other_prompts_and_nan_are_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.mean(values, unstratified(3, 5))
