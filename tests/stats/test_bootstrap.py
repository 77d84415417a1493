"""The bootstrap against scipy, naive loops, planted effects and its own nominal coverage."""

import time

import numpy as np
import pytest
from scipy.stats import bootstrap

from bench import stats

TASKS = ["colors"] * 8 + ["counting"] * 12 + ["position"] * 5


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def marks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Correct and judged images of the prompts in TASKS, some prompts short of an image."""
    draw = rng(seed)
    images = draw.integers(3, 5, size=len(TASKS)).astype(float)
    return np.floor(draw.random(len(TASKS)) * (images + 1)), images


def naive_overall(correct: np.ndarray, images: np.ndarray, take: np.ndarray) -> float:
    """Mean over tasks of the share of correct images among the prompts ``take``, in plain loops."""
    shares = []
    for task in sorted(set(TASKS)):
        chosen = [i for i in take if TASKS[i] == task]
        shares.append(sum(correct[i] for i in chosen) / sum(images[i] for i in chosen))
    return sum(shares) / len(shares)


def test_every_draw_keeps_each_tasks_number_of_prompts() -> None:
    counts = stats.resample(TASKS, 50, rng())
    for task in set(TASKS):
        of = np.array(TASKS) == task
        assert (counts[:, of].sum(axis=1) == of.sum()).all()
    assert len(np.unique(counts, axis=0)) > 45


def test_counts_have_the_moments_of_a_multinomial() -> None:
    counts = stats.resample(["a"] * 10, 20_000, rng())
    assert counts.mean(axis=0) == pytest.approx(np.ones(10), abs=0.03)
    assert counts.var(axis=0) == pytest.approx(np.full(10, 0.9), abs=0.04)


def test_same_seed_gives_the_same_draws_and_leaves_global_state_alone() -> None:
    before = np.random.get_state()[1].copy()  # type: ignore[index, union-attr]
    first = stats.resample(TASKS, 20, rng(3))
    assert (first == stats.resample(TASKS, 20, rng(3))).all()
    assert (before == np.random.get_state()[1]).all()  # type: ignore[index]


def test_overall_of_every_draw_equals_a_naive_loop() -> None:
    correct, images = marks(1)
    counts = stats.resample(TASKS, 30, rng())
    takes = [np.repeat(np.arange(len(TASKS)), row.astype(int)) for row in counts]
    naive = [naive_overall(correct, images, take) for take in takes]
    assert stats.overall(correct, images, TASKS, counts) == pytest.approx(np.array(naive))


def test_overall_is_the_mean_over_tasks_not_over_images() -> None:
    tasks = ["big"] * 9 + ["small"]
    correct = np.array([4.0] * 9 + [0.0])
    result = stats.geneval(correct, np.full(10, 4.0), tasks, stats.resample(tasks, 10, rng()))
    assert result.value == 0.5


def test_interval_of_a_mean_agrees_with_scipy() -> None:
    values = rng(5).gamma(2.0, size=60)
    ours = stats.mean(values, stats.resample(["all"] * 60, 20_000, rng()))
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=rng(1))
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)
    assert ours.value == values.mean()


def test_ratio_interval_agrees_with_scipys_paired_bootstrap() -> None:
    vanilla = rng(1).uniform(0.5, 1.5, size=40)
    method = 3 * vanilla * rng(2).uniform(0.8, 1.2, size=40)
    ours = stats.cost_ratio(method, vanilla, stats.resample(["all"] * 40, 20_000, rng()))
    theirs = bootstrap(
        (method, vanilla),
        lambda m, v, axis: m.sum(axis) / v.sum(axis),
        paired=True,
        n_resamples=20_000,
        method="percentile",
        rng=rng(4),
    )
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval), abs=0.015)


def test_a_planted_constant_difference_has_a_degenerate_interval() -> None:
    images = np.full(len(TASKS), 4.0)
    reference = rng(2).integers(0, 3, size=len(TASKS)).astype(float)
    counts = stats.resample(TASKS, 500, rng())
    result = stats.geneval_difference((reference + 1, images), (reference, images), TASKS, counts)
    assert [result.value, result.low, result.high] == pytest.approx([0.25] * 3)
    assert not result.tie
    alone = stats.geneval(reference, images, TASKS, counts)
    assert alone.high - alone.low > 0.05  # the pairing, not the data, removes the spread


def test_between_task_spread_does_not_widen_the_interval() -> None:
    tasks = ["easy"] * 10 + ["hard"] * 10
    correct, images = np.array([4.0] * 10 + [0.0] * 10), np.full(20, 4.0)
    result = stats.geneval(correct, images, tasks, stats.resample(tasks, 200, rng()))
    assert (result.low, result.value, result.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("low", "high", "tie"),
    [(-0.1, 0.2, True), (0.0, 0.2, True), (0.01, 0.2, False), (-0.2, -0.01, False)],
)
def test_a_difference_is_a_tie_when_its_interval_covers_zero(
    low: float, high: float, tie: bool
) -> None:
    assert stats.Interval((low + high) / 2, low, high, 5).tie is tie


def test_a_method_ties_with_itself() -> None:
    own = marks(1)
    result = stats.geneval_difference(own, own, TASKS, stats.resample(TASKS, 100, rng()))
    assert (result.low, result.value, result.high, result.tie) == (0, 0, 0, True)


@pytest.mark.parametrize("values", [np.array([0.3]), np.full(7, 0.3)])
def test_one_prompt_and_constant_data_give_a_degenerate_interval(values: np.ndarray) -> None:
    counts = stats.resample(["all"] * len(values), 100, rng())
    result = stats.mean(values, counts)
    assert [result.low, result.value, result.high] == pytest.approx([0.3] * 3)
    ratio = stats.cost_ratio(values, values * 2, counts)
    assert [ratio.low, ratio.value, ratio.high] == pytest.approx([0.5] * 3)


def test_task_intervals_average_to_the_headline() -> None:
    correct, images = marks(1)
    counts = stats.resample(TASKS, 300, rng())
    tasks = stats.geneval_tasks(correct, images, TASKS, counts)
    headline = stats.geneval(correct, images, TASKS, counts)
    assert np.mean([i.value for i in tasks.values()]) == pytest.approx(headline.value)
    assert {t: i.prompts for t, i in tasks.items()} == {t: TASKS.count(t) for t in set(TASKS)}


def test_cost_ratio_divides_the_sums_and_does_not_average_the_ratios() -> None:
    counts = stats.resample(["all"] * 2, 10, rng())
    ratio = stats.cost_ratio(np.array([1.0, 8.0]), np.array([1.0, 2.0]), counts)
    assert ratio.value == 3.0  # the mean of the ratios 1 and 4 would be 2.5
    assert 1.0 <= ratio.low <= ratio.high <= 4.0


def test_speedup_cancels_a_machine_that_slowed_down() -> None:
    fast, slow = np.array([1.0, 2.0, 3.0]), np.array([4.0, 8.0, 12.0])
    base = np.array([0.5, 1.0, 1.5])
    counts = stats.resample(["all"] * 3, 100, rng())
    result = stats.speedup((fast, base), (slow * 1.7, base * 1.7), counts)
    assert [result.low, result.value, result.high] == pytest.approx([4, 4, 4])


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    draw, hits, trials = rng(11), 0, 200
    tasks = ["a"] * 40 + ["b"] * 40
    ability = np.array([0.3] * 40 + [0.7] * 40)
    images = np.full(80, 4.0)
    for _ in range(trials):
        correct = draw.binomial(4, ability).astype(float)
        found = stats.geneval(correct, images, tasks, stats.resample(tasks, 400, draw))
        hits += found.low <= 0.5 <= found.high
    assert 0.89 <= hits / trials <= 0.99


def test_two_thousand_draws_of_the_full_benchmark_take_about_a_second() -> None:
    tasks = np.repeat([f"task{i}" for i in range(7)], 79)
    images = np.full(553, 4.0)
    methods = [rng(i).integers(0, 5, size=553).astype(float) for i in range(10)]
    start = time.perf_counter()
    counts = stats.resample(tasks, 2000, rng())
    for correct in methods:
        stats.geneval(correct, images, tasks, counts)
        stats.geneval_difference((correct, images), (methods[0], images), tasks, counts)
    assert time.perf_counter() - start < 5  # about 0.5 s on one idle core


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.resample([], 10, rng()), "needs prompts"),
        (lambda: stats.resample(["a"], 0, rng()), "needs prompts and draws"),
        (lambda: stats.cost_ratio(np.array([1.0]), np.array([0.0]), np.ones((1, 1))), "positive"),
        (lambda: stats.overall(np.ones(1), np.zeros(1), ["a"], np.ones((1, 1))), "images > 0"),
    ],
)
def test_bad_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
