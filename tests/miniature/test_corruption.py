"""Mistakes put into records, counted in scenes, and images made worse by a known amount."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.geneval import prompts
from training import spoil
from training.corruption import ALLOWED, corrupt, holds, mistakes, record
from training.scenes import Placed

DOG, CAT = "dog", "cat"


def at(name: str, color: str, x: int, y: int) -> Placed:
    return Placed(name, color, (x, y, x + 20, y + 20))


def pair(first: str, second: str, where: str | None = None) -> prompts.Metadata:
    """The record of "second where first", or of "first and second"."""
    include = [{"class": first, "count": 1}, {"class": second, "count": 1}]
    if where:
        include[1]["position"] = [where, 0]
    return record(include)


def test_include_clauses_give_geneval_s_own_captions_and_tags() -> None:
    for original in prompts.generate():
        again = record(original["include"])
        assert (again["prompt"], again["tag"]) == (original["prompt"], original["tag"])


@pytest.mark.parametrize("tag", prompts.TASKS)
def test_a_corruption_changes_the_caption_and_leaves_the_original_alone(tag: str) -> None:
    rng = np.random.default_rng(0)
    for original in prompts.generate(n=5):
        if original["tag"] == tag:
            for kind in ALLOWED[tag]:
                before = repr(original)
                assert corrupt(original, rng, kind)["prompt"] != original["prompt"]
                assert repr(original) == before


def test_a_kind_of_mistake_that_a_record_cannot_have_is_refused() -> None:
    with pytest.raises(ValueError, match="no 'color' mistake"):
        corrupt(prompts.single_object(3), np.random.default_rng(0), "color")


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ([at(DOG, "red", 0, 0), at(CAT, "blue", 40, 0)], 0),
        ([at(CAT, "blue", 0, 0), at(DOG, "red", 40, 0)], 0),
        ([at(DOG, "blue", 0, 0), at(CAT, "red", 40, 0)], 2),
        ([at(DOG, "red", 0, 0), at(CAT, "red", 40, 0)], 1),
        ([at(DOG, "red", 0, 0)], 1),
        ([at(DOG, "red", 0, 0), at("cow", "pink", 40, 0)], 2),
        ([at(DOG, "red", 0, 0), at(CAT, "blue", 40, 0), at(CAT, "blue", 0, 40)], 1),
    ],
)
def test_mistakes_are_counted_under_the_kindest_pairing(
    objects: list[Placed], expected: float
) -> None:
    include = [
        {"class": DOG, "count": 1, "color": "red"},
        {"class": CAT, "count": 1, "color": "blue"},
    ]
    assert mistakes(record(include), objects) == expected


@pytest.mark.parametrize(("drawn", "expected"), [(1, 2), (2, 1), (3, 0), (4, 1)])
def test_each_missing_or_surplus_object_of_a_count_is_a_mistake(drawn: int, expected: int) -> None:
    wish = record([{"class": DOG, "count": 3}])
    objects = [at(DOG, "red", 21 * i, 0) for i in range(drawn)]
    assert mistakes(wish, objects) == expected


def test_a_stray_object_of_another_class_counts_once_where_the_number_is_right() -> None:
    wish = record([{"class": DOG, "count": 2}])
    objects = [at(DOG, "red", 0, 0), at(CAT, "red", 21, 0), at(DOG, "red", 42, 0)]
    assert mistakes(wish, objects) == 1


def test_a_faint_object_counts_as_partly_missing() -> None:
    wish = record([{"class": DOG, "count": 1}])
    assert mistakes(wish, [at(DOG, "red", 0, 0)], [0.25]) == pytest.approx(0.75)


def test_a_mirrored_position_is_one_mistake() -> None:
    objects = [at(CAT, "red", 0, 0), at(DOG, "red", 40, 0)]
    assert mistakes(pair(DOG, CAT, "left of"), objects) == 0
    assert mistakes(pair(DOG, CAT, "right of"), objects) == 1
    assert mistakes(pair(CAT, DOG, "left of"), objects) == 1
    assert mistakes(pair(DOG, CAT), objects) == 0


def test_exactly_one_relation_holds_between_two_objects() -> None:
    rng = np.random.default_rng(1)
    for x, y in rng.integers(0, 44, size=(50, 2)):
        there = [holds(w, at(DOG, "red", x, y), at(CAT, "red", 7, 9)) for w in prompts.POSITIONS]
        assert sum(there) == 1


def test_blur_is_a_gaussian_average_and_leaves_sharp_images_alone() -> None:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    blurred = spoil.blur(images, torch.tensor([0.0, 2.0]))
    assert torch.equal(blurred[0], images[0])
    offsets = np.arange(64) - 30
    weight = np.exp(-(offsets**2) / 8)
    weight /= weight.sum()
    naive = weight @ images[1, 0].numpy().astype(np.float64) @ weight
    assert blurred[1, 0, 30, 30].item() == pytest.approx(naive, abs=1e-5)


def test_fading_and_cutting_touch_only_the_object() -> None:
    image = np.full((64, 64, 3), 190, dtype=np.uint8)
    thing = at(DOG, "black", 10, 20)
    image[20:40, 10:30] = 20
    faint = spoil.fade(image, thing, 0.5)
    assert (faint[20:40, 10:30] == 105).all()
    assert (np.delete(faint, np.s_[10:30], axis=1) == 190).all()
    half = spoil.cut(image, thing, 0.5, side=0)
    assert (half[20:40, 10:20] == 190).all()
    assert (half[20:40, 20:30] == 20).all()
