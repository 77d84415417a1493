"""The rule by which a setting is chosen."""

import numpy as np
import pytest

from bench.stats.tuning import at_edge, beyond, chosen, within_one_error

RNG = np.random.default_rng(0)
PROMPTS = 40
NOISE = RNG.normal(size=PROMPTS)


def scores(*means):
    """Trials of these means on the same prompts; their differences scatter a little."""
    return np.stack([m + NOISE + 0.1 * RNG.normal(size=PROMPTS) for m in means])


def test_the_best_quality_wins_where_nothing_ties_with_it():
    assert chosen(scores(0.0, 1.0, 0.5), scores(1.0, 0.0, 0.5), [1, 2, 3]) == 1


def test_a_tie_in_quality_goes_to_the_judge_that_did_not_guide():
    quality = np.stack([NOISE, NOISE, NOISE - 1])
    assert chosen(quality, scores(0.0, 1.0, 2.0), [1, 2, 3]) == 1


def test_a_tie_in_both_goes_to_the_weaker_setting():
    alike = np.stack([NOISE] * 3)
    assert chosen(alike, alike, [4, 2, 8]) == 1
    assert chosen(alike, None, [4, 2, 1]) == 2


def test_a_tie_is_one_standard_error_of_the_paired_difference():
    best = np.zeros(PROMPTS)
    step = np.where(np.arange(PROMPTS) % 2, 1.0, -1.0)
    error = step.std(ddof=1) / PROMPTS**0.5
    table = np.stack([best, step - 0.99 * error, step - 1.01 * error])
    assert within_one_error(table, range(3)) == [0, 1]


def test_the_edge_of_a_grid_is_told():
    assert at_edge(0, [1, 3, 8]) and at_edge(2, [1, 3, 8]) and not at_edge(1, [1, 3, 8])


def test_the_next_value_beyond_an_edge_is_as_far_as_the_last_one():
    assert beyond([1, 3, 9], 9) == 27
    assert beyond([1, 3, 9], 1) == 0.33
    assert beyond([8, 2, 4], 8) == 16


def test_one_prompt_is_too_few():
    with pytest.raises(ValueError, match="at least two prompts"):
        chosen(np.zeros((2, 1)), None, [1, 2])
