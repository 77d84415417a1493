"""Which prompts of a list are taken: spread over its tasks, and nested."""

import itertools

import pytest

from bench.geneval.prompts import TASKS, generate
from bench.prompts.choice import Prompt, choose, spread


def listed(*sizes):
    tags = [f"task {number}" for number, size in enumerate(sizes) for _ in range(size)]
    return [Prompt(i, {"tag": tag, "prompt": f"prompt {i}"}) for i, tag in enumerate(tags)]


@pytest.mark.parametrize("count", [*range(40), 80, 553, 4096])
def test_the_order_visits_every_place_once(count):
    assert sorted(spread(count)) == list(range(count))


@pytest.mark.parametrize("count", [80, 100, 553])
def test_every_beginning_of_the_order_is_evenly_spread(count):
    order = spread(count)
    for taken in range(1, count + 1):
        places = sorted(order[:taken])
        edges = [-1, *places, count]
        gaps = [b - a for a, b in itertools.pairwise(edges)]
        assert max(gaps) <= 2 * count / taken + 1, taken


def test_raising_per_task_or_the_limit_keeps_what_is_done():
    prompts = listed(80, 7, 100)
    for per_task in range(1, 101):
        before, after = choose(prompts, per_task), choose(prompts, per_task + 1)
        assert after[: len(before)] == before
    every = choose(prompts)
    assert sorted(p.index for p in every) == list(range(187))
    for limit in (1, 5, 50):
        assert choose(prompts, limit=limit) == every[:limit]
        assert choose(prompts, 2, limit) == choose(prompts, 2)[:limit]


def test_so_many_of_each_task_are_taken_and_no_more_than_it_has():
    chosen = choose(listed(30, 2, 50), 4)
    assert [sum(p.tag == f"task {t}" for p in chosen) for t in range(3)] == [4, 2, 4]
    assert [p.tag for p in chosen[:3]] == ["task 0", "task 1", "task 2"]


def test_of_geneval_s_prompts_every_task_is_taken_and_keeps_its_place_in_the_list():
    every = [Prompt(index, metadata) for index, metadata in enumerate(generate())]
    some = choose(every, 4)
    assert [sum(p.tag == task for p in some) for task in TASKS] == [4] * 6
    assert all(every[p.index] is p for p in some)


def test_prompts_that_are_skipped_are_those_that_a_choice_takes_first():
    prompts = listed(80, 7, 100)
    first, rest = choose(prompts, 16), choose(prompts, 32, skip_per_task=16)
    assert not {p.index for p in first} & {p.index for p in rest}
    assert [sum(p.tag == f"task {t}" for p in rest) for t in range(3)] == [32, 0, 32]
    together = {p.index for p in choose(prompts, 48)}
    assert {p.index for p in first} | {p.index for p in rest} == together
