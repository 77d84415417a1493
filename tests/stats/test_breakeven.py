"""Break-even numbers of images by hand, by scanning, and by simulation."""

import numpy as np
import pytest
from planted import rng, unstratified

from bench import stats

DRAWS = unstratified(8, 400)


def even(
    prepare: float, per_image: float, rival: float, draws: stats.Draws = DRAWS
) -> stats.BreakEven:
    """Constant seconds on every prompt."""
    seconds = (np.full(draws.prompts, s) for s in (prepare, per_image, rival))
    return stats.break_even(*seconds, draws)


@pytest.mark.parametrize(
    ("prepare", "per_image", "rival", "images"),
    [(5.0, 1.0, 3.0, 3), (4.0, 1.0, 3.0, 3), (0.5, 1.0, 3.0, 1), (0.0, 1.0, 3.0, 1)],
)
def test_it_is_the_first_number_of_images_at_which_the_method_is_cheaper(
    prepare: float, per_image: float, rival: float, images: int
) -> None:
    found = even(prepare, per_image, rival)
    assert (found.low, found.images, found.high) == (images, images, images)
    assert prepare + images * per_image < images * rival
    assert images == 1 or prepare + (images - 1) * per_image >= (images - 1) * rival


def test_seconds_alike_on_every_prompt_leave_no_doubt() -> None:
    draw = rng(1)
    for prepare, gain in zip(draw.uniform(0, 30, 200), draw.uniform(0.01, 3, 200), strict=True):
        found = even(prepare, 1.0, 1.0 + gain)
        assert found.low == found.images == found.high


@pytest.mark.parametrize("rival", [1.0, 0.5])
def test_a_rival_as_cheap_an_image_is_never_beaten(rival: float) -> None:
    found = even(5.0, 1.0, rival)
    assert found.images is None
    assert (found.low, found.high, found.known) == (None, None, True)


def timings(seed: int, n: int, prepare: float, gain: float, spread: float) -> list[np.ndarray]:
    draw = rng(seed)
    means = (prepare, 1.0, 1.0 + gain)
    return [m * draw.gamma(1 / spread**2, spread**2, size=n) for m in means]


def test_intervals_cover_the_planted_number() -> None:
    hits = 0
    draws = unstratified(6, 300)
    for seed in range(400):
        found = stats.break_even(*timings(seed, 6, 100.0, 1.0, 0.1), draws)
        low = found.low is not None and found.low <= 100
        hits += low and (found.high is None or found.high >= 100)
    assert 0.92 <= hits / 400 <= 0.985


def test_an_uncertain_gain_ends_in_never() -> None:
    found = stats.break_even(*timings(2, 4, 5.0, 0.3, 0.5), unstratified(4, 400))
    assert found.low is not None
    assert found.high is None


def test_one_timed_prompt_has_an_estimate_alone() -> None:
    found = even(5.0, 1.0, 3.0, unstratified(1, 10))
    assert (found.images, found.low, found.high, found.known) == (3, None, None, False)


@pytest.mark.parametrize(
    ("prepare", "per_image", "message"),
    [(-1.0, 1.0, "negative"), (1.0, 0.0, "positive"), (np.nan, 1.0, "NaN")],
)
def test_failed_timings_are_refused(prepare: float, per_image: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        even(prepare, per_image, 3.0)
