"""Speedup at matched quality on planted curves, and every way of not having one."""

import numpy as np
import pytest
from planted import exact_sweep, fixed, noisy_sweep, rng, unstratified

from bench import stats

DRAWS = unstratified(20, 50)
BUDGETS = 2.0 ** np.arange(5)
GAINS = np.array([0.2, 0.3, 0.38, 0.44, 0.48])


def test_a_curve_moved_by_four_is_four_times_as_fast_at_every_quality() -> None:
    fast = exact_sweep(list(BUDGETS), list(GAINS), DRAWS)
    slow = exact_sweep(list(4 * BUDGETS), list(GAINS), DRAWS)
    for quality in (0.2, 0.25, 0.4, 0.48):
        found = stats.matched(fast, slow, fixed(quality, slow))
        assert (found.status, found.share_reached) == ("reached", 1.0)
        assert found.value is not None
        assert (found.value.low, found.value.value, found.value.high) == pytest.approx((4,) * 3)


def test_the_slow_methods_best_is_reached_where_the_fast_frontier_crosses_it() -> None:
    fast = exact_sweep([1, 4], [0.2, 0.6], DRAWS)
    slow = exact_sweep([10, 20, 40], [0.3, 0.4, 0.35], DRAWS)  # its best is the setting at 20
    found = stats.matched(fast, slow, stats.best_of(slow))
    assert found.quality == 0.4
    assert found.value is not None
    assert found.value.value == pytest.approx(10)  # 20 over the geometric middle of 1 and 4


def test_the_only_setting_of_a_method_keeps_its_own_cost() -> None:
    fast = exact_sweep([1, 4], [0.2, 0.6], DRAWS)
    slow = exact_sweep([40], [0.35], DRAWS)
    found = stats.matched(fast, slow, stats.best_of(slow))
    assert found.value is not None
    assert found.value.value == pytest.approx(40 / 4**0.375)


@pytest.mark.parametrize(
    ("fast", "slow", "quality", "missing"),
    [
        ([0.1, 0.2], [0.1, 0.3], 0.25, ("fast",)),
        ([0.1, 0.3], [0.1, 0.2], 0.25, ("slow",)),
        ([0.1, 0.2], [0.1, 0.2], 0.25, ("fast", "slow")),
    ],
)
def test_who_does_not_reach_the_quality_is_named(
    fast: list[float], slow: list[float], quality: float, missing: tuple[str, ...]
) -> None:
    sweeps = [exact_sweep([1, 2], q, DRAWS) for q in (fast, slow)]
    found = stats.matched(*sweeps, fixed(quality, sweeps[1]))
    assert (found.status, found.value, found.missing) == ("not reached", None, missing)
    assert found.share_reached == 0


def test_a_fast_method_better_than_the_level_from_the_start_gives_a_lower_bound() -> None:
    fast, slow = exact_sweep([1, 2], [0.5, 0.6], DRAWS), exact_sweep([3, 6], [0.2, 0.4], DRAWS)
    found = stats.matched(fast, slow, stats.best_of(slow))
    assert found.status == "at least"
    assert found.value is not None
    assert found.value.value == pytest.approx(6)


def test_a_slow_method_better_than_the_level_from_the_start_has_no_known_cost() -> None:
    fast, slow = exact_sweep([1, 2], [0.1, 0.6], DRAWS), exact_sweep([3, 6], [0.2, 0.4], DRAWS)
    found = stats.matched(fast, slow, fixed(0.15, slow))
    assert (found.status, found.value) == ("below the sweep", None)


def planted(
    seed: int, headroom: float, n: int = 100, draws: int = 300
) -> tuple[stats.Sweep, stats.Sweep]:
    """A fast and a slow sweep of equal curves, 0.1 a doubling, the slow one 4 times as dear; the
    fast method's last setting is ``headroom`` above the slow one's."""
    noise = rng(seed)
    shared = unstratified(n, draws, seed)
    difficulty = noise.normal(size=n)
    gains = 0.1 * np.arange(5)
    fast_budgets = np.append(BUDGETS, BUDGETS[-1] * 2 ** (headroom / 0.1))
    fast_gains = np.append(gains, gains[-1] + headroom)
    if headroom <= 0:
        fast_budgets, fast_gains = fast_budgets[:-2], fast_gains[:-2]
    fast = noisy_sweep(fast_budgets, fast_gains, difficulty, shared, noise, spread=0.3)
    slow = noisy_sweep(4 * BUDGETS, gains, difficulty, shared, noise, spread=0.3)
    return fast, slow


def test_a_planted_speedup_of_four_is_covered_by_its_interval() -> None:
    hits, estimates = 0, []
    for seed in range(200):
        fast, slow = planted(seed, headroom=0.3)
        found = stats.matched(fast, slow, stats.best_of(slow))
        assert found.status == "reached"
        assert found.value is not None
        hits += found.value.low <= 4 <= found.value.high
        estimates.append(found.value.value)
    assert hits / 200 >= 0.91  # nominal 0.95 less 2.6 standard errors; see test_coverage
    assert np.median(estimates) == pytest.approx(4, rel=0.1)


def test_a_method_planted_to_end_below_the_other_does_not_reach_it() -> None:
    answers = [
        stats.matched(fast, slow, stats.best_of(slow))
        for fast, slow in (planted(seed, headroom=0) for seed in range(50))
    ]
    missed = [a for a in answers if (a.status, a.missing) == ("not reached", ("fast",))]
    assert len(missed) >= 45
    assert all(a.value is None for a in missed)


def test_draws_that_do_not_reach_the_level_pull_the_low_end_to_zero() -> None:
    fast, slow = planted(2, headroom=0.03)
    found = stats.matched(fast, slow, stats.best_of(slow))
    assert found.value is not None
    assert 0.5 < found.share_reached < 0.97
    assert found.value.low == 0
    assert np.isfinite([found.value.value, found.value.high]).all()


def test_a_level_read_off_the_slow_method_itself_is_reached_too_seldom_to_answer() -> None:
    fast, slow = planted(1, headroom=0.3)
    found = stats.matched(fast, slow, fixed(float(slow.quality.value.max()), slow))
    assert (found.status, found.missing) == ("not reached", ("slow",))
    assert 0.3 < found.share_reached < 0.8


def test_the_pairing_narrows_the_interval() -> None:
    """Prompts of very different difficulty: apart, the two methods' qualities could not be told."""
    fast, slow = planted(3, headroom=0.3)
    found = stats.matched(fast, slow, stats.best_of(slow))
    assert found.value is not None
    shuffled = stats.Sweep(
        stats.Estimates(fast.cost.value, fast.cost.samples[::-1]),
        stats.Estimates(fast.quality.value, fast.quality.samples[::-1]),
        fast.draws,
    )
    apart = stats.matched(shuffled, slow, stats.best_of(slow))
    assert apart.value is not None
    assert apart.value.value == found.value.value
    widths = [np.log(i.high / i.low) for i in (found.value, apart.value)]
    assert widths[1] > 1.5 * widths[0]


def test_sweeps_resampled_apart_are_refused() -> None:
    one, other = (exact_sweep([1, 2], [0.1, 0.2], unstratified(20, 50, seed)) for seed in (1, 2))
    with pytest.raises(ValueError, match="resampled apart"):
        stats.matched(one, other, stats.best_of(other))


def test_a_single_prompt_is_too_few() -> None:
    lonely = unstratified(1, 10)
    sweep = exact_sweep([1, 2], [0.1, 0.2], lonely)
    found = stats.matched(sweep, sweep, stats.best_of(sweep))
    assert (found.status, found.value) == ("too few prompts", None)


def test_a_fast_method_often_better_from_the_start_gives_a_lower_bound_and_no_refutation() -> None:
    """In these draws its true cost is not known: that of its cheapest setting stands in."""
    level = np.where(np.arange(len(DRAWS.weights)) % 5, 0.42, 0.38)  # below 0.4 in a fifth of draws
    fast, slow = exact_sweep([2, 4], [0.4, 0.5], DRAWS), exact_sweep([0.9, 1.2], [0.3, 0.45], DRAWS)
    found = stats.matched(fast, slow, stats.Level(0.42, level))
    assert found.status == "at least"
    assert stats.matched(fast, slow, stats.Level(0.42, np.full(50, 0.42))).status == "reached"


def test_few_timed_prompts_widen_the_interval() -> None:
    fast, slow = planted(4, headroom=0.3)
    timed = [
        stats.Sweep(stats.Estimates(s.cost.value, s.cost.samples, 3), s.quality, s.draws)
        for s in (fast, slow)
    ]
    found = [stats.matched(*pair, stats.best_of(slow)).value for pair in ((fast, slow), timed)]
    assert all(interval is not None for interval in found)
    assert found[1].high / found[1].low > 1.1 * found[0].high / found[0].low
