"""Cost ratios and plain speedups."""

import numpy as np
import pytest
from planted import rng, unstratified
from scipy.stats import bootstrap

from bench import stats


def test_ratio_interval_agrees_with_scipys_paired_bootstrap() -> None:
    vanilla = rng(1).uniform(0.5, 1.5, size=200)
    method = 3 * vanilla * rng(2).uniform(0.8, 1.2, size=200)
    ours = stats.cost_ratio(method, vanilla, unstratified(200, 10_000))
    theirs = bootstrap(
        (method, vanilla),
        lambda m, v, axis: m.sum(axis) / v.sum(axis),
        paired=True,
        n_resamples=5_000,
        method="percentile",
        rng=rng(4),
    )
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.008)


def test_cost_ratio_divides_the_sums_and_does_not_average_the_ratios() -> None:
    ratio = stats.cost_ratio(np.array([1.0, 8.0]), np.array([1.0, 2.0]), unstratified(2, 10))
    assert ratio.value == 3.0  # the mean of the ratios 1 and 4 would be 2.5
    assert 0 < ratio.low < 3.0 < ratio.high


def test_the_inverse_ratio_has_the_inverse_interval() -> None:
    method, vanilla = rng(1).uniform(2, 3, size=5), rng(2).uniform(1, 2, size=5)
    draws = unstratified(5, 200)
    there, back = (stats.cost_ratio(*p, draws) for p in ((method, vanilla), (vanilla, method)))
    assert (1 / back.high, 1 / back.low) == pytest.approx((there.low, there.high))


def test_speedup_cancels_a_machine_that_slowed_down() -> None:
    fast, slow = np.array([1.0, 2.0, 3.0]), np.array([4.0, 8.0, 12.0])
    base = np.array([0.5, 1.0, 1.5])
    result = stats.speedup((fast, base), (slow * 1.7, base * 1.7), unstratified(3, 100))
    assert [result.low, result.value, result.high] == pytest.approx([4, 4, 4])


@pytest.mark.parametrize(("seconds", "message"), [(0.0, "positive"), (np.nan, "NaN")])
def test_a_failed_timing_is_refused(seconds: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.cost_ratio(np.array([1.0, 1.0]), np.array([1.0, seconds]), unstratified(2, 2))
