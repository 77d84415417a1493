"""Do 95% intervals cover the truth? A beta-binomial GenEval, two methods correlated by prompt.

Six tasks with Stable Diffusion v1.5's shares; in a task a prompt's ability is beta distributed
(parameters adding up to 2), a prompt has four images, the abilities of two methods are joined by a
Gaussian copula of correlation 0.7. Truth is the tasks' mean ability: prompts are a sample.
"""

import numpy as np
import pytest
from planted import rng
from scipy.stats import beta, norm

from bench import stats

SHARES = np.array([0.97, 0.38, 0.35, 0.76, 0.04, 0.06])
GAIN = 0.03
REPEATS = 300


def worlds(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Correct images (REPEATS, 6n) of two methods on n prompts a task; the second gains GAIN."""
    draw = rng(seed)
    first, own = draw.normal(size=(2, REPEATS, 6, n))
    normal = [first, 0.7 * first + np.sqrt(1 - 0.7**2) * own]
    mean = [SHARES[:, None], np.minimum(SHARES + GAIN, 0.99)[:, None]]
    ability = [beta.ppf(norm.cdf(z), 2 * m, 2 * (1 - m)) for z, m in zip(normal, mean, strict=True)]
    one, two = (draw.binomial(4, a).reshape(REPEATS, -1).astype(float) for a in ability)
    return one, two


def covered(n: int, seed: int = 5) -> dict[str, float]:
    """Share of intervals that cover, for n prompts a task."""
    draw = rng(seed)
    tasks, images = np.repeat(list("abcdef"), n), np.full(6 * n, 4.0)
    gain = np.minimum(SHARES + GAIN, 0.99) - SHARES
    hits: dict[str, list[bool]] = {}

    def note(name: str, found: stats.Interval, truth: float) -> None:
        hits.setdefault(name, []).append(found.low <= truth <= found.high)

    for one, two in zip(*worlds(n, seed), strict=True):
        draws = stats.resample(tasks, 300, draw)
        note("headline", stats.geneval(one, images, tasks, draws), SHARES.mean())
        pair = ((two, images), (one, images))
        note("difference", stats.geneval_difference(*pair, tasks, draws), gain.mean())
        shares = stats.geneval_tasks(one, images, tasks, draws)[1]
        for share, found in zip(SHARES, shares.values(), strict=True):
            note(f"share {share}", found, share)
        reward = draw.gamma(2.0, size=6 * n) + np.repeat(SHARES, n)
        note("mean reward", stats.mean(reward, draws), 2 + SHARES.mean())
    return {name: float(np.mean(own)) for name, own in hits.items()}


@pytest.mark.parametrize("n", [4, 16, 92])
def test_intervals_cover_on_few_prompts_as_on_many(n: int) -> None:
    found = covered(n)
    shares = {name: found.pop(name) for name in list(found) if name.startswith("share")}
    for name, share in found.items():
        assert 0.91 <= share <= 0.985, (name, share)  # 300 repeats: a standard error of 0.013
    for name, share in shares.items():
        assert share >= 0.91, (name, share)  # Wilson's interval is wide rather than narrow


def test_plain_percentiles_of_n_from_n_would_not() -> None:
    """Why the draws take n - 1 of n and the intervals Student's t: the same data without either."""
    draw, n = rng(6), 4
    counts = draw.multinomial(n, np.full(n, 1 / n), size=(300, 6)).reshape(300, -1)
    samples = worlds(n, 5)[0] @ counts.T / (6 * n * 4)
    low, high = np.quantile(samples, [0.025, 0.975], axis=1)
    hits = (low <= SHARES.mean()) & (SHARES.mean() <= high)
    assert hits.mean() < 0.91


def test_a_ratio_of_seconds_is_covered_from_three_timed_prompts_on() -> None:
    for n in (3, 6, 18):
        draw, hits = rng(n), 0
        draws = stats.resample(["all"] * n, 500, draw)
        for _ in range(REPEATS):
            vanilla = draw.lognormal(0, 0.15, size=n)
            method = 2 * vanilla * draw.lognormal(-(0.1**2) / 2, 0.1, size=n)
            found = stats.cost_ratio(method, vanilla, draws)
            hits += found.low <= 2 <= found.high
        assert 0.91 <= hits / REPEATS <= 0.985, n


def test_the_probability_of_improvement_is_covered() -> None:
    n, draw, hits = 16, rng(1), 0
    tasks = np.repeat(list("abcdef"), n)
    draws = stats.resample(tasks, 500, draw)
    chances = np.repeat([[0.2, 0.3, 0.5]], 6 * n, axis=0)  # lost, tied, won
    for _ in range(REPEATS):
        won = draw.multinomial(1, chances) @ np.array([-1.0, 0.0, 1.0])
        found = stats.improvement(won, np.zeros(6 * n), tasks, draws)
        hits += found.low <= 0.65 <= found.high
    assert 0.91 <= hits / REPEATS <= 0.985
