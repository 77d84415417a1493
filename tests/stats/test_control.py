"""A method against its control at the method's own cost."""

import numpy as np
import pytest
from planted import exact, exact_sweep, noisy_sweep, rng, unstratified

from bench import stats

DRAWS = unstratified(20, 50)
CONTROL = exact_sweep([1, 4, 16], [0.2, 0.4, 0.5], DRAWS)


def test_the_controls_quality_is_read_off_at_the_methods_cost() -> None:
    found = stats.at_matched_cost(exact_sweep([2], [0.35], DRAWS), CONTROL)
    assert (found.status, found.cost, found.stands_in) == ("matched", 2, 2)
    assert found.control == pytest.approx(0.3)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.05)
    assert not found.difference.tie


def test_a_dearer_setting_that_is_worse_is_not_hidden_by_a_cheaper_one() -> None:
    control = exact_sweep([1, 4], [0.5, 0.3], DRAWS)
    found = stats.at_matched_cost(exact_sweep([4], [0.3], DRAWS), control)
    assert (found.status, found.control) == ("matched", pytest.approx(0.3))


@pytest.mark.parametrize(
    ("cost", "status", "end", "control"),
    [
        (0.5, "cheaper than the sweep", 1, 0.2),
        (0.96, "matched", 1, 0.2),
        (16.7, "matched", 16, 0.5),
        (17, "dearer than the sweep", 16, 0.5),
    ],
)
def test_beyond_the_controls_sweep_its_nearest_setting_stands_in(
    cost: float, status: str, end: float, control: float
) -> None:
    found = stats.at_matched_cost(exact_sweep([cost], [0.9], DRAWS), CONTROL)
    assert (found.status, found.stands_in, found.control) == (status, end, pytest.approx(control))
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.9 - control)


def costing(value: float, spread: float) -> stats.Sweep:
    """A method of quality 0.3 whose cost varies by the factor ``spread`` either way."""
    samples = value * np.where(np.arange(len(DRAWS.weights)) % 2, spread, 1 / spread)[:, None]
    one = exact([0.3], DRAWS)
    return stats.Sweep(stats.Estimates(np.array([value]), samples), one, DRAWS)


@pytest.mark.parametrize(
    ("cost", "spread", "status"),
    [
        (4.0, 1.5, "matched"),
        (14.0, 1.5, "cost too uncertain"),
        (1.2, 1.5, "cost too uncertain"),
        (20.0, 1.5, "dearer than the sweep"),
    ],
)
def test_a_cost_that_is_often_beyond_the_sweep_is_not_called_matched(
    cost: float, spread: float, status: str
) -> None:
    found = stats.at_matched_cost(costing(cost, spread), CONTROL)
    assert found.status == status
    assert (found.difference is None) == (status == "cost too uncertain")


def test_a_method_as_good_as_its_control_s_six_settings_seldom_loses() -> None:
    """Against the maximum of the six it would lose in a quarter of the cases."""
    budgets = 2.0 ** np.arange(6)
    lost = 0
    for seed in range(200):
        noise, draws = rng(seed), unstratified(60, 300, seed)
        difficulty = noise.normal(size=60)
        control = noisy_sweep(budgets, np.full(6, 0.5), difficulty, draws, noise, spread=0.4)
        method = noisy_sweep(budgets[-1:], np.array([0.5]), difficulty, draws, noise, spread=0.4)
        found = stats.at_matched_cost(method, control)
        assert found.difference is not None
        lost += found.difference.high < 0
    assert lost / 200 <= 0.06


def test_planted_gains_are_covered_and_equal_methods_tie() -> None:
    budgets, gains = np.array([1.0, 2, 4, 8]), np.array([0.0, 0.1, 0.2, 0.3])
    hits = ties = 0
    for seed in range(200):
        noise, draws = rng(seed), unstratified(50, 300, seed)
        difficulty = noise.normal(size=50)
        control = noisy_sweep(budgets, gains, difficulty, draws, noise)
        equal, better = (
            noisy_sweep(np.array([3.0]), np.array([0.1 * np.log2(3) + d]), difficulty, draws, noise)
            for d in (0.0, 0.08)
        )
        tied = stats.at_matched_cost(equal, control).difference
        ties += tied is not None and tied.tie
        found = stats.at_matched_cost(better, control)
        assert found.difference is not None and not found.difference.tie
        hits += found.difference.low <= 0.08 <= found.difference.high
    assert 0.91 <= hits / 200 <= 0.99
    assert 0.91 <= ties / 200 <= 0.99


def test_sweeps_resampled_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="resampled apart"):
        stats.at_matched_cost(exact_sweep([2], [0.3], unstratified(20, 50, 1)), CONTROL)


def test_a_single_prompt_is_too_few() -> None:
    lonely = unstratified(1, 10)
    found = stats.at_matched_cost(
        exact_sweep([2], [0.3], lonely), exact_sweep([1, 4], [0.2, 0.4], lonely)
    )
    assert (found.status, found.control, found.difference) == (
        "too few prompts",
        pytest.approx(0.3),
        None,
    )
