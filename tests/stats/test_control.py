"""A method against its control at the method's own cost."""

import numpy as np
import pytest
from planted import exact_sweep, noisy_sweep, rng, unstratified

from bench import stats

DRAWS = unstratified(20, 50)
CONTROL = exact_sweep([1, 4, 16], [0.2, 0.4, 0.5], DRAWS)


def test_the_controls_quality_is_read_off_at_the_methods_cost() -> None:
    found = stats.at_matched_cost(exact_sweep([2], [0.35], DRAWS), CONTROL)
    assert (found.status, found.cost, found.share_inside) == ("matched", 2, 1)
    assert found.control == pytest.approx(0.3)
    assert found.difference is not None
    assert found.difference.value == pytest.approx(0.05)
    assert not found.tie


@pytest.mark.parametrize(("cost", "status"), [(0.5, "cheaper"), (17, "dearer")])
def test_outside_the_controls_sweep_there_is_no_difference(cost: float, status: str) -> None:
    found = stats.at_matched_cost(exact_sweep([cost], [0.9], DRAWS), CONTROL)
    assert found.status == f"{status} than the sweep"
    assert (found.control, found.difference, found.share_inside) == (None, None, 0)
    assert not found.tie


def test_at_an_end_of_the_sweep_draws_beyond_it_take_the_end() -> None:
    draws = unstratified(40, 300)
    noise = rng(1)
    difficulty = noise.normal(size=40)
    budgets, gains = np.array([1.0, 2, 4]), np.array([0.1, 0.2, 0.3])
    control = noisy_sweep(budgets, gains, difficulty, draws, noise)
    method = noisy_sweep(control.cost.value[:1], np.array([0.1]), difficulty, draws, noise)
    level = stats.Sweep(
        stats.Estimates(control.cost.value[:1], method.cost.samples), method.quality, draws
    )
    found = stats.at_matched_cost(level, control)
    assert found.status == "matched"
    assert 0.2 < found.share_inside < 0.8
    assert found.difference is not None
    assert found.difference.known


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
        ties += stats.at_matched_cost(equal, control).tie
        found = stats.at_matched_cost(better, control)
        assert not found.tie
        assert found.difference is not None
        hits += found.difference.low <= 0.08 <= found.difference.high
    assert 0.91 <= hits / 200 <= 0.99
    assert 0.91 <= ties / 200 <= 0.99


def test_one_setting_of_the_method_is_compared_at_a_time() -> None:
    with pytest.raises(ValueError, match="one setting"):
        stats.at_matched_cost(CONTROL, CONTROL)


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
