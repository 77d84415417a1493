"""Which prompts are timed beside vanilla: by place alone, one in ``every``, in shards alike."""

import pytest

from bench.run.yardstick import timed, undisturbed, vanilla_first


@pytest.mark.parametrize("every", [1, 2, 3, 4, 8, 20])
@pytest.mark.parametrize("total", [1, 6, 24, 553])
def test_one_prompt_of_each_block_is_timed(every, total):
    places = [p for p in range(total) if timed(p, every, total)]
    assert [p // every for p in places] == list(range(-(-total // every)))


@pytest.mark.parametrize(("every", "shards"), [(4, 2), (4, 4), (4, 8), (8, 4), (8, 8), (3, 3)])
def test_every_shard_has_its_share_of_the_timed_prompts_in_both_orders(every, shards):
    share = 553 / every / shards
    for shard in range(shards):
        places = [p for p in range(shard, 553, shards) if timed(p, every, 553)]
        assert 0.5 * share < len(places) < 1.5 * share
        assert 0 < sum(vanilla_first(p, every) for p in places) < len(places)


@pytest.mark.parametrize("every", [1, 4, 8])
def test_a_drift_of_the_machine_cancels(every):
    """Seconds that grow with time, linearly or as its square, favor neither order."""
    places = [p for p in range(64 * every) if timed(p, every, 64 * every)]
    for power in (0, 1, 2):
        signed = [(1 if vanilla_first(p, every) else -1) * (p // every) ** power for p in places]
        assert sum(signed) == 0


@pytest.mark.parametrize(
    ("pairs", "kept", "times"),
    [
        ([(1.1, 3)], (1.1, 3), 1),  # as quick as before
        ([(2, 5), (1.0, 3)], (1.0, 3), 2),
        ([(2, 5), (1.8, 4), (1.5, 6)], (1.8, 4), 3),  # never quiet: the quickest in all
        ([(2, 3), (1.0, 9)], (2, 3), 2),  # the method's part of the pair was disturbed
    ],
)
def test_a_pair_in_which_vanilla_was_slow_is_timed_again(pairs, kept, times):
    made = iter(pairs)
    assert undisturbed(lambda: next(made), lambda pair: pair, [0.9, 1.0, 5.0]) == kept
    assert len(list(made)) == len(pairs) - times


def test_the_first_pair_of_a_cell_is_slow_beside_nothing():
    assert undisturbed(lambda: (9, 9), lambda pair: pair, []) == (9, 9)
