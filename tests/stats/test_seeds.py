"""Seeds are pooled within a prompt."""

import numpy as np
import pytest
from planted import TASKS, rng

from bench import stats


def test_pooled_seeds_score_as_one_run_with_all_their_images() -> None:
    images = np.full((3, 25), 4.0)
    correct = rng(1).integers(0, 5, size=(3, 25)).astype(float)
    found, _ = stats.pooled(correct, images, TASKS, stats.resample(TASKS, 200, rng()))
    shares = np.array([correct[:, np.array(TASKS) == t].mean() / 4 for t in set(TASKS)])
    assert found.value == pytest.approx(shares.mean())


def test_more_seeds_narrow_the_interval_only_down_to_the_prompts_own_spread() -> None:
    ability = rng(1).random(120)
    tasks = ["a"] * 60 + ["b"] * 60
    draws = stats.resample(tasks, 500, rng())
    widths = []
    for seeds in (2, 8, 64):
        correct = rng(2).binomial(4, ability, size=(seeds, 120)).astype(float)
        found, _ = stats.pooled(correct, np.full((seeds, 120), 4.0), tasks, draws)
        widths.append(found.high - found.low)
    floor = 2 * 1.98 * ability.std(ddof=1) / np.sqrt(120)
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] == pytest.approx(floor, rel=0.1)


def test_the_deviation_between_seeds_is_that_of_their_own_scores() -> None:
    correct = np.array([[4.0, 0.0], [4.0, 4.0]])
    draws = stats.resample(["a", "b"], 10, rng())
    _, deviation = stats.pooled(correct, np.full((2, 2), 4.0), ["a", "b"], draws)
    assert deviation == pytest.approx(0.5 / np.sqrt(2))
