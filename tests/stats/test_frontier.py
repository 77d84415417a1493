"""Frontiers on hand-made curves, and sweeps that are not accepted."""

import numpy as np
import pytest
from planted import exact_sweep, rng, unstratified

from bench import stats
from bench.stats.frontier import cost_at, quality_at, running_best
from bench.stats.quality import overall

DRAWS = unstratified(20, 50)


def test_frontier_is_the_best_so_far_in_order_of_cost() -> None:
    cost, best = running_best(np.array([[4.0, 1.0, 2.0]]), np.array([[0.6, 0.5, 0.4]]))
    assert cost.tolist() == [[1.0, 2.0, 4.0]]
    assert best.tolist() == [[0.5, 0.5, 0.6]]


@pytest.mark.parametrize(
    ("budget", "quality", "swept"),
    [(1, 0.2, True), (2, 0.3, True), (8, 0.45, True), (16, 0.5, True), (0.99, 0.2, False),
     (17, 0.5, False)],
)  # fmt: skip
def test_between_settings_quality_is_linear_in_log_cost_and_outside_it_is_an_end_s(
    budget: float, quality: float, swept: bool
) -> None:
    sweep = exact_sweep([1, 4, 16], [0.2, 0.4, 0.5], DRAWS)
    found, inside = quality_at(*stats.of_estimates(sweep), np.array([budget]))
    assert found == pytest.approx([quality]) and inside.tolist() == [swept]


def test_a_worse_dearer_setting_leaves_the_frontier_flat() -> None:
    frontier = stats.of_estimates(exact_sweep([1, 2, 4], [0.5, 0.4, 0.6], DRAWS))
    (flat,), _ = quality_at(*frontier, np.array([1.9]))
    (rising,), _ = quality_at(*frontier, np.array([np.sqrt(8)]))
    assert (flat, rising) == pytest.approx((0.5, 0.55))


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


def test_headlines_and_cost_ratios_of_a_sweep_are_those_of_its_cells() -> None:
    tasks = ["a"] * 6 + ["b"] * 4
    draws = stats.resample(tasks, 40, rng())
    correct = rng(1).integers(0, 5, size=(3, 10)).astype(float)
    images = np.full((3, 10), 4.0)
    found = stats.headlines(correct, images, tasks, draws)
    for k in range(3):
        assert found.value[k] == stats.geneval(correct[k], images[k], tasks, draws).value
        own = overall(correct[k], images[k], tasks, draws.weights)
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
        ([2, 1], [0.1, 0.2], "in order"),
        ([0, 1], [0.1, 0.2], "positive"),
        ([1, np.nan], [0.1, 0.2], "NaN"),
        ([1, 2], [0.1, np.inf], "infinite"),
    ],
)
def test_a_malformed_sweep_is_named(cost: list[float], quality: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exact_sweep(cost, quality, DRAWS)


def test_one_timed_prompt_is_no_sample_of_costs() -> None:
    with pytest.raises(ValueError, match="single timed prompt"):
        stats.cost_ratios(np.ones((2, 1)), np.ones((2, 1)), unstratified(1, 5))
