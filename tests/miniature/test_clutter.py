"""Scenes drawn with a known number of objects too many, and with copies."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.geneval.prompts import CLASSES, single_object, two_object
from bench.judge import clutter
from bench.judge.judges import ImageJudge
from bench.miniature.clip import MiniatureClip
from bench.miniature.judge import MiniatureJudge
from bench.store.images import from_bytes
from training import scenes

SCENES = 30


@pytest.fixture(scope="module")
def judge():
    return ImageJudge(MiniatureJudge.load(), {}, MiniatureClip.load())


def cluttered(rng, metadata, again: int, others: int):
    """A scene of the metadata with an object of it ``again``, and ``others`` of no class of it."""
    asked = metadata["include"]
    names = [c["class"] for c in asked]
    strange = rng.choice([c for c in CLASSES if c not in names], others, replace=False)
    more = [{"class": names[0], "count": 1}] * again
    more += [{"class": str(name), "count": 1} for name in strange]
    return scenes.render({**metadata, "include": [*asked, *more]}, rng).image


@pytest.mark.parametrize(("again", "others"), [(0, 0), (1, 0), (2, 0), (0, 2), (1, 1)])
def test_extra_objects_are_counted_and_strict_alone_rejects_them(judge, again, others):
    rng, exact, right, strict = np.random.default_rng(1), 0, 0, 0
    for _ in range(SCENES):
        metadata = two_object(rng)
        image = cluttered(rng, metadata, again, others)
        found = judge.judge(metadata, from_bytes(image[None]))
        exact += found["extras"] == {"asked": [again], "other": [others]}
        right += found["geneval"][0]
        strict += found["strict"][0]
    assert exact >= 0.9 * SCENES and right >= 0.9 * SCENES
    assert strict == 0 if again + others else strict >= 0.9 * SCENES


def test_detections_are_what_was_drawn_and_where(judge):
    rng = np.random.default_rng(2)
    scene = scenes.render(two_object(rng), rng)
    (found,) = judge.judge(scene.metadata, from_bytes(scene.image[None]))["detections"]
    assert sorted(line[0] for line in found) == sorted(o.name for o in scene.objects)
    for name, *box, score in found:
        (drawn,) = [o.box for o in scene.objects if o.name == name]
        assert np.abs(np.subtract(box, drawn)).max() < 4 and 0.3 < score <= 1


def test_copies_of_a_right_image_count_once_and_wrong_images_not_at_all(judge):
    rng = np.random.default_rng(3)
    metadata = two_object(rng)
    one, two = (scenes.render(metadata, rng).image for _ in range(2))
    noisy = (one + rng.normal(0, 2, one.shape)).clip(0, 255).astype(np.uint8)
    wrong = scenes.render(two_object(rng), rng).image
    images = from_bytes(np.stack([one, noisy, wrong, two, one, wrong]))
    found = judge.judge(metadata, images)
    assert found["geneval"] == [True, True, False, True, True, False]
    assert found["distinct"] == 2


def test_images_that_are_copies_of_a_copy_are_counted_in_their_order():
    features = torch.tensor([[0.0, 0.0], [0.06, 0.0], [0.12, 0.0]])
    assert clutter.distinct([True, True, True], features) == 2
    assert clutter.distinct([False, True, True], features) == 1
    assert clutter.distinct([False] * 3, features) == 0


def test_an_object_seen_twice_on_one_place_is_one():
    box, aside = [0, 0, 20, 20], [4, 0, 24, 20]
    boxes = {"dog": np.array([[*box, 0.9], [*aside, 0.5]]), "cat": np.array([[*box, 0.7]])}
    seen = clutter.detected(boxes, {})
    assert [(name, score) for name, *_, score in seen] == [("dog", 0.9), ("dog", 0.5)]
    metadata = {"include": [{"class": "dog", "count": 1}]}
    assert clutter.extras(metadata, seen) == {"asked": 1, "other": 0}


def test_ghosts_and_blur_raise_the_detector_s_doubt(judge):
    rng, ghosts, blurred = np.random.default_rng(5), [], []
    for _ in range(SCENES):
        metadata = single_object(int(rng.integers(80)))
        scene = scenes.render(metadata, rng)
        (corner,) = scene.objects
        x, y = (0 if corner.box[0] >= 24 else 40), (0 if corner.box[1] >= 24 else 40)
        image = scene.image.astype(float)
        cover = 0.45 * scenes.glyph(str(rng.choice(CLASSES)), 24)[..., None]
        image[y : y + 24, x : x + 24] *= 1 - cover
        clean, soft = from_bytes(scene.image[None]), from_bytes(image.astype(np.uint8)[None])
        far = torch.nn.functional.avg_pool2d(clean, 3, 1, 1, count_include_pad=False)
        far = torch.nn.functional.avg_pool2d(far, 3, 1, 1, count_include_pad=False)
        (plain,), (ghost,), (blur,) = (
            judge.judge(metadata, one)["doubt"] for one in (clean, soft, far)
        )
        ghosts.append(ghost > plain)
        blurred.append(blur > plain)
    assert np.mean(ghosts) > 0.8 and np.mean(blurred) > 0.6


def test_doubt_is_the_expected_number_of_wrong_calls():
    boxes = {"dog": np.array([[0, 0, 20, 20, 0.9], [30, 0, 50, 20, 0.3], [30, 30, 50, 50, 0.04]])}
    assert clutter.doubt(boxes, {}) == pytest.approx(0.4)


def test_strict_wants_the_counting_threshold_for_every_task(judge):
    class Unsure:
        thresholds = judge.detector.thresholds

        def examine(self, images):
            return [replace(seen, boxes={n: b * [1, 1, 1, 1, 0.8] for n, b in seen.boxes.items()})
                    for seen in judge.detector.examine(images)]  # fmt: skip

    rng = np.random.default_rng(2)
    scene = scenes.render(two_object(rng), rng)
    found = clutter.judged(Unsure(), scene.metadata, from_bytes(scene.image[None]))
    assert found["geneval"] == [True] and found["extras"] == {"asked": [0], "other": [0]}
    assert found["strict"] == [False]
