"""Seeds are averaged within a prompt."""

import numpy as np
import pytest
from planted import TASKS, rng

from bench import stats


def test_pooled_seeds_score_as_one_run_with_all_their_images() -> None:
    images = np.full((3, 25), 4.0)
    correct = rng(1).integers(0, 5, size=(3, 25)).astype(float)
    draws = stats.resample(TASKS, 200, rng())
    pooled = stats.geneval(*stats.pool(correct, images), TASKS, draws)
    shares = np.array([correct[:, np.array(TASKS) == t].mean() / 4 for t in set(TASKS)])
    assert pooled.value == pytest.approx(shares.mean())
    assert stats.spread(correct, images, TASKS).mean == pytest.approx(pooled.value)


def test_more_seeds_narrow_the_interval_only_down_to_the_prompts_own_spread() -> None:
    ability = rng(1).random(120)
    draws = stats.resample(["a"] * 60 + ["b"] * 60, 500, rng())
    widths = []
    for seeds in (1, 4, 64):
        correct = rng(2).binomial(4, ability, size=(seeds, 120)).astype(float)
        found = stats.geneval(
            *stats.pool(correct, np.full((seeds, 120), 4.0)), ["a"] * 60 + ["b"] * 60, draws
        )
        widths.append(found.high - found.low)
    floor = 2 * 1.98 * ability.std(ddof=1) / np.sqrt(120)
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] == pytest.approx(floor, rel=0.1)


def test_spread_between_seeds_is_their_sample_deviation() -> None:
    correct = np.array([[4.0, 0.0], [4.0, 4.0]])
    found = stats.spread(correct, np.full((2, 2), 4.0), ["a", "b"])
    assert found.scores == (0.5, 1.0)
    assert found.deviation == pytest.approx(0.5 / np.sqrt(2))
    assert stats.spread(correct[:1], np.full((1, 2), 4.0), ["a", "b"]).deviation is None


def test_values_are_averaged_prompt_by_prompt() -> None:
    assert stats.average(np.array([[1.0, 2.0], [3.0, 6.0]])).tolist() == [2.0, 4.0]


@pytest.mark.parametrize("values", [np.ones(3), np.ones((0, 3)), np.array([[1.0, np.nan]])])
def test_seeds_of_other_shapes_and_nan_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\(seeds, prompts\)"):
        stats.average(values)


def test_counts_and_images_must_be_of_the_same_seeds() -> None:
    with pytest.raises(ValueError, match="alike"):
        stats.pool(np.ones((2, 3)), np.ones((3, 3)))
