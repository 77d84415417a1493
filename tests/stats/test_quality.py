"""GenEval's scores against naive loops and planted effects."""

import time

import numpy as np
import pytest
from planted import TASKS, marks, rng

from bench import stats
from bench.stats.quality import overall


def naive_overall(correct: np.ndarray, images: np.ndarray, take: list[int]) -> float:
    """Mean over tasks of the share of correct images among the prompts ``take``, in plain loops."""
    shares = []
    for task in sorted(set(TASKS)):
        chosen = [i for i in take if TASKS[i] == task]
        shares.append(sum(correct[i] for i in chosen) / sum(images[i] for i in chosen))
    return sum(shares) / len(shares)


def test_overall_of_every_draw_equals_a_naive_loop() -> None:
    correct, images = marks(1)
    weights = stats.resample(TASKS, 30, rng()).weights
    sizes = np.array([TASKS.count(task) for task in TASKS])
    counts = np.rint(weights * (sizes - 1) / sizes).astype(int)
    takes = [np.repeat(np.arange(len(TASKS)), row).tolist() for row in counts]
    naive = [naive_overall(correct, images, take) for take in takes]
    assert overall(correct, images, TASKS, weights) == pytest.approx(np.array(naive))


def test_overall_is_the_mean_over_tasks_not_over_images() -> None:
    tasks = ["big"] * 9 + ["small"]
    correct = np.array([4.0] * 9 + [0.0])
    result = stats.geneval(correct, np.full(10, 4.0), tasks, stats.resample(tasks, 10, rng()))
    assert result.value == 0.5


def test_a_planted_constant_difference_has_a_degenerate_interval() -> None:
    images = np.full(len(TASKS), 4.0)
    reference = rng(2).integers(0, 3, size=len(TASKS)).astype(float)
    draws = stats.resample(TASKS, 500, rng())
    result = stats.geneval_difference((reference + 1, images), (reference, images), TASKS, draws)
    assert [result.value, result.low, result.high] == pytest.approx([0.25] * 3)
    assert not result.tie
    alone = stats.geneval(reference, images, TASKS, draws)
    assert alone.high - alone.low > 0.05  # the pairing, not the data, removes the spread


def test_between_task_spread_does_not_widen_the_interval() -> None:
    tasks = ["easy"] * 10 + ["hard"] * 10
    correct, images = np.array([4.0] * 10 + [0.0] * 10), np.full(20, 4.0)
    result = stats.geneval(correct, images, tasks, stats.resample(tasks, 200, rng()))
    assert (result.low, result.value, result.high) == pytest.approx((0.5, 0.5, 0.5))


def test_a_method_ties_with_itself() -> None:
    own = marks(1)
    result = stats.geneval_difference(own, own, TASKS, stats.resample(TASKS, 100, rng()))
    assert (result.low, result.value, result.high, result.tie) == (0, 0, 0, True)


def test_task_intervals_average_to_the_headline() -> None:
    correct, images = marks(1)
    draws = stats.resample(TASKS, 300, rng())
    tasks = stats.geneval_tasks(correct, images, TASKS, draws)[1]
    headline = stats.geneval(correct, images, TASKS, draws)
    assert np.mean([i.value for i in tasks.values()]) == pytest.approx(headline.value)
    assert {t: i.prompts for t, i in tasks.items()} == {t: TASKS.count(t) for t in set(TASKS)}


def test_a_task_with_a_single_prompt_has_an_interval_of_its_own_but_the_headline_has_none() -> None:
    tasks = ["a", "a", "b"]
    correct, images = np.array([1.0, 3.0, 4.0]), np.full(3, 4.0)
    draws = stats.resample(tasks, 100, rng())
    assert not stats.geneval(correct, images, tasks, draws).known
    of = stats.geneval_tasks(correct, images, tasks, draws)[1]
    assert (of["b"].value, of["b"].low < 0.3, of["b"].high) == (1.0, True, 1.0)


def test_two_thousand_draws_of_the_full_benchmark_take_about_a_second() -> None:
    tasks = np.repeat([f"task{i}" for i in range(7)], 79)
    images = np.full(553, 4.0)
    methods = [rng(i).integers(0, 5, size=553).astype(float) for i in range(10)]
    start = time.perf_counter()
    draws = stats.resample(tasks, 2000, rng())
    for correct in methods:
        stats.geneval(correct, images, tasks, draws)
        stats.geneval_difference((correct, images), (methods[0], images), tasks, draws)
    assert time.perf_counter() - start < 5  # about 0.5 s on one idle core


@pytest.mark.parametrize(
    ("correct", "images", "tasks", "weights", "message"),
    [
        (np.ones(1), np.zeros(1), ["a"], np.ones((1, 1)), "images > 0"),
        (np.full(1, 5.0), np.full(1, 4.0), ["a"], np.ones((1, 1)), "correct <= images"),
        (np.ones(2), np.ones(2), ["a"], np.ones((1, 2)), "same prompts"),
        (np.ones(2), np.ones(2), ["a", "b"], np.array([[0.0, 2.0]]), "no prompt of a"),
    ],
)
def test_bad_input_is_named(
    correct: np.ndarray, images: np.ndarray, tasks: list[str], weights: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        overall(correct, images, tasks, weights)


def test_a_geometric_mean_and_its_interval_are_those_of_the_logarithms() -> None:
    values = np.exp(rng().normal(1.0, 0.5, 30))
    found = stats.geometric(values, stats.resample(["all"] * 30, 20_000, rng()))
    logs = np.log(values)
    middle, reach = logs.mean(), 2.0452 * logs.std(ddof=1) / 30**0.5  # Student's t of 29
    assert found.value == pytest.approx(np.prod(values) ** (1 / 30))
    assert np.log([found.low, found.high]) == pytest.approx(
        [middle - reach, middle + reach], rel=0.03
    )
    with pytest.raises(ValueError, match="needs positive values, got 0"):
        stats.geometric(np.append(values[1:], 0.0), stats.resample(["all"] * 30, 10, rng()))
