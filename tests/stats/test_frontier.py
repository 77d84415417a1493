"""Frontiers on hand-made curves, and sweeps that are not accepted."""

import numpy as np
import pytest
from planted import exact_sweep, noisy_sweep, rng, unstratified

from bench import stats
from bench.stats.frontier import cost_at, quality_at, running_best

DRAWS = unstratified(20, 50)


def test_frontier_is_the_best_so_far_in_order_of_cost() -> None:
    cost, best = running_best(np.array([[4.0, 1.0, 2.0]]), np.array([[0.6, 0.5, 0.4]]))
    assert cost.tolist() == [[1.0, 2.0, 4.0]]
    assert best.tolist() == [[0.5, 0.5, 0.6]]


def test_between_settings_quality_is_linear_in_log_cost() -> None:
    sweep = exact_sweep([1, 4, 16], [0.2, 0.4, 0.5], DRAWS)
    for budget, quality in ((1, 0.2), (2, 0.3), (4, 0.4), (8, 0.45), (16, 0.5)):
        found = stats.attained(sweep, budget)
        assert found is not None
        assert (found.low, found.value, found.high) == pytest.approx((quality,) * 3)


def test_a_worse_dearer_setting_leaves_the_frontier_flat() -> None:
    sweep = exact_sweep([1, 2, 4], [0.5, 0.4, 0.6], DRAWS)
    flat, rising = stats.attained(sweep, 1.9), stats.attained(sweep, np.sqrt(8))
    assert flat is not None
    assert rising is not None
    assert (flat.value, rising.value) == pytest.approx((0.5, 0.55))


@pytest.mark.parametrize("budget", [0.99, 4.01])
def test_nothing_is_extrapolated(budget: float) -> None:
    assert stats.attained(exact_sweep([1, 2, 4], [0.1, 0.2, 0.3], DRAWS), budget) is None


def test_cost_at_a_quality_inverts_quality_at_a_cost() -> None:
    cost = np.exp(np.cumsum(rng(1).random((200, 6)), axis=1))
    cost, best = running_best(cost, rng(2).random((200, 6)))
    level = best[:, 0] + (best[:, -1] - best[:, 0]) * rng(3).random(200)
    budget = cost_at(cost, best, level)
    found, inside = quality_at(cost, best, budget)
    assert inside.all()
    assert found == pytest.approx(level)
    cheaper, _ = quality_at(cost, best, np.maximum(budget * 0.999, cost[:, 0]))
    assert (cheaper <= level + 1e-12).all()


def test_cost_is_the_least_at_a_plateau_and_infinite_above_the_best() -> None:
    cost, best = np.array([[1.0, 2.0, 4.0]] * 3), np.array([[0.2, 0.5, 0.5]] * 3)
    found = cost_at(cost, best, np.array([0.5, 0.51, 0.1]))
    assert found == pytest.approx([2.0, np.inf, 1.0])


def test_settings_of_equal_cost_in_a_draw_do_no_harm() -> None:
    cost, best = running_best(np.array([[2.0, 2.0, 4.0]]), np.array([[0.3, 0.2, 0.4]]))
    assert quality_at(cost, best, np.array([2.0]))[0] == pytest.approx([0.3])
    assert np.isfinite(cost_at(cost, best, np.array([0.25]))).all()


def test_points_carry_intervals_and_the_frontier_above_them() -> None:
    draws = unstratified(60, 300)
    difficulty = rng(1).normal(size=60)
    sweep = noisy_sweep(np.array([1.0, 2, 4]), np.array([0.3, 0.1, 0.5]), difficulty, draws, rng(2))
    points = stats.points(sweep)
    assert [p.frontier.value >= p.quality.value for p in points] == [True] * 3
    assert points[1].frontier.value == points[0].quality.value
    for point in points:
        for own in (point.cost, point.quality, point.frontier):
            assert own.low < own.value < own.high


def test_one_setting_of_a_sweep_stands_alone() -> None:
    one = exact_sweep([1, 2, 4], [0.1, 0.2, 0.3], DRAWS).only(1)
    assert (one.cost.value.tolist(), one.quality.value.tolist()) == ([2.0], [0.2])
    with pytest.raises(ValueError, match="settings are 0 to 0, not 1"):
        one.only(1)


def test_headlines_and_cost_ratios_of_a_sweep_are_those_of_its_cells() -> None:
    tasks = ["a"] * 6 + ["b"] * 4
    draws = stats.resample(tasks, 40, rng())
    correct = rng(1).integers(0, 5, size=(3, 10)).astype(float)
    images = np.full((3, 10), 4.0)
    found = stats.headlines(correct, images, tasks, draws)
    for k in range(3):
        assert found.value[k] == stats.geneval(correct[k], images[k], tasks, draws).value
        own = stats.overall(correct[k], images[k], tasks, draws.weights)
        assert found.samples[:, k] == pytest.approx(own)
    method, vanilla = rng(2).random((3, 10)) + 1, rng(3).random((3, 10)) + 1
    ratios = stats.cost_ratios(method, vanilla, draws)
    assert ratios.value[1] == stats.cost_ratio(method[1], vanilla[1], draws).value
    assert ratios.samples[:, 1] == pytest.approx(
        (draws.weights @ method[1]) / (draws.weights @ vanilla[1])
    )


@pytest.mark.parametrize(
    ("cost", "quality", "message"),
    [
        ([2, 1], [0.1, 0.2], "increasing cost"),
        ([1, 1], [0.1, 0.2], "increasing cost"),
        ([0, 1], [0.1, 0.2], "positive"),
        ([1, 2], [0.1], "for every setting"),
        ([1, np.nan], [0.1, 0.2], "NaN"),
        ([1, 2], [0.1, np.inf], "infinite"),
        ([], [], "at least one setting"),
    ],
)
def test_a_malformed_sweep_is_named(cost: list[float], quality: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exact_sweep(cost, quality, DRAWS)


@pytest.mark.parametrize("budget", [0.0, -1.0, np.nan, np.inf])
def test_a_budget_that_is_no_cost_is_refused(budget: float) -> None:
    with pytest.raises(ValueError, match="positive cost"):
        stats.attained(exact_sweep([1, 2], [0.1, 0.2], DRAWS), budget)


def test_one_timed_prompt_is_no_sample_of_costs() -> None:
    with pytest.raises(ValueError, match="single timed prompt"):
        stats.cost_ratios(np.ones((2, 1)), np.ones((2, 1)), unstratified(1, 5))
