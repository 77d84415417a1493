"""Intervals against closed forms, scipy, and their own promises."""

import numpy as np
import pytest
from planted import rng, unstratified
from scipy.stats import binomtest, bootstrap, ttest_1samp

from bench import stats
from bench.stats.interval import tail


def test_interval_of_a_mean_is_students() -> None:
    values = rng(5).gamma(2.0, size=7)
    ours = stats.mean(values, unstratified(7, 50_000))
    theirs = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), rel=0.02)
    assert ours.value == values.mean()


def test_percentiles_agree_with_scipy_on_many_prompts() -> None:
    values = rng(5).gamma(2.0, size=300)
    draws = unstratified(300, 10_000)
    ours = stats.percentile(values.mean(), draws.weights @ values / 300, draws)
    theirs = bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=rng(1))
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.015)


def test_percentiles_reach_further_out_on_few_prompts_by_students_t() -> None:
    assert tail(10**6) == pytest.approx(0.025, abs=1e-5)
    assert tail(18) == pytest.approx(0.01782, abs=1e-5)  # Φ(-2.1009)


def test_percentile_ends_are_draws_even_beside_infinite_ones() -> None:
    samples = np.concatenate([np.full(10, np.inf), np.arange(1.0, 991.0)])
    found = stats.percentile(500.0, samples, unstratified(1000, 2))
    assert found.low in samples
    assert found.high in samples
    assert np.isfinite(found.high)


def test_share_of_unrelated_images_is_wilsons() -> None:
    shares = np.repeat([0.0, 1.0], [30, 70])  # one image a prompt
    samples = unstratified(100, 20_000).weights @ shares / 100
    ours = stats.share(0.7, samples, 100, 100)
    theirs = binomtest(70, 100).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-3)


def test_share_whose_images_agree_within_a_prompt_counts_prompts_not_images() -> None:
    shares = np.repeat([0.0, 1.0], [30, 70])
    samples = unstratified(100, 20_000).weights @ shares / 100
    ours = stats.share(0.7, samples, 100, 400)
    theirs = binomtest(70, 100).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=5e-3)


@pytest.mark.parametrize("prompts", [1, 4])
def test_all_correct_is_not_certainty(prompts: int) -> None:
    found = stats.share(1.0, np.ones(50), prompts, 4 * prompts)
    theirs = binomtest(prompts, prompts).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, 1.0))


def test_a_score_stays_within_its_range() -> None:
    shares = np.array([1.0, 1.0, 0.75])
    draws = unstratified(3, 500)
    found = stats.student(shares.mean(), draws.weights @ shares / 3, draws, bounds=(0, 1))
    assert found.high == 1.0


@pytest.mark.parametrize(
    ("low", "high", "tie"),
    [(-0.1, 0.2, True), (0.0, 0.2, True), (0.01, 0.2, False), (-0.2, -0.01, False)],
)
def test_a_difference_is_a_tie_when_its_interval_covers_zero(
    low: float, high: float, tie: bool
) -> None:
    assert stats.Interval((low + high) / 2, low, high, 5).tie is tie


def test_one_prompt_has_no_interval_and_is_no_tie() -> None:
    draws = unstratified(1, 100)
    values = np.array([0.3])
    for found in (stats.mean(values, draws), stats.cost_ratio(values, values, draws)):
        assert not found.known
        assert not found.tie
        assert np.isfinite(found.value)


def test_constant_data_give_a_degenerate_interval() -> None:
    values = np.full(7, 0.3)
    draws = unstratified(7, 100)
    result = stats.mean(values, draws)
    assert [result.low, result.value, result.high] == pytest.approx([0.3] * 3)
    ratio = stats.cost_ratio(values, values * 2, draws)
    assert [ratio.low, ratio.value, ratio.high] == pytest.approx([0.5] * 3)
