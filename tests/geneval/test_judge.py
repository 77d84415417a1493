"""The whole judge at tiny size, without a network; the self-test that stands before it."""

import socket
import sys

import numpy as np
import pytest
import tiny_judge as tiny
import torch

from bench.errors import BenchError
from bench.geneval.detector import Detections, verdicts
from bench.geneval.judge import SURE_COLORS, check, disk, load
from bench.geneval.prompts import COLORS, generate
from bench.geneval.selftest import PHOTOGRAPHS, photographs, prove
from bench.judge.judges import ImageJudge, load_detector
from bench.miniature.golden import pictures
from bench.miniature.judge import MiniatureJudge


@pytest.fixture
def offline(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 48, 56, generator=torch.Generator().manual_seed(1))


def test_the_tiny_judge_judges_images_of_any_size_without_a_network(offline, images):
    judge = tiny.judge()
    seen = judge.examine(images)
    assert len(seen) == 3 and any(one.boxes for one in seen)
    for one in seen:
        for name, boxes in one.boxes.items():
            assert boxes.dtype == np.float32 and boxes.shape[1] == 5
            assert (np.diff(boxes[:, 4]) <= 0).all()
            assert (boxes[:, 2] <= 56).all() and (boxes[:, 3] <= 48).all()
            said = one.colors(name, list(range(len(boxes))))
            assert len(said) == len(boxes) and set(said) <= set(COLORS)
    record = ImageJudge(judge, {}).judge(generate()[-1], images)
    assert len(record["geneval"]) == 3 and record["diversity"] is None


def test_verdicts_follow_what_the_detector_saw(images):
    judge = tiny.judge()
    (seen,) = judge.examine(images[:1])
    name, boxes = next(iter(seen.boxes.items()))
    judge.thresholds["threshold"] = float(boxes[0, 4]) - 0.01
    (said,) = seen.colors(name, [0])
    for color in COLORS:
        clause = {"class": name, "count": 1, "color": color}
        (verdict,) = verdicts(judge, {"tag": "colors", "include": [clause]}, images[:1])
        assert verdict.correct == (color == said)


def test_an_image_is_seen_alike_alone_and_in_a_batch(images):
    judge = tiny.judge()
    for image, together in zip(images, judge.examine(images), strict=True):
        (alone,) = judge.examine(image[None])
        assert list(alone.boxes) == list(together.boxes)
        for name in alone.boxes:
            assert np.allclose(alone.boxes[name], together.boxes[name], atol=1e-4)


def test_untrained_weights_are_called_untested_whatever_the_settings():
    judge = load(tiny.settings("judge.self_test=true"))
    assert judge.digest() == "untested weights: tiny" and not judge.tested
    judge.prove()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch=0", "judge.batch must be an integer >= 1"),
        ("shorter=900", r"judge.longer must be an integer >= 900, got 128"),
        ("device=gpu", "judge.device must be one of auto, cpu, cuda"),
        ("weights=null", "judge.weights must be text"),
        ("self_test=2", "judge.self_test must be true or false"),
        ("thresholds.threshold=0", r"judge.thresholds.threshold must be a number >= 0.05"),
        ("thresholds.max_objects=0", "judge.thresholds.max_objects"),
        ("thresholds.max_overlap=2", r"max_overlap in \[0, 1\]"),
    ],
)
def test_a_wrong_setting_is_explained(override, message):
    with pytest.raises(ValueError, match=message):
        check(tiny.settings(f"judge.{override}"))


def test_cuda_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BenchError, match=r"torch sees no GPU here; use device=cpu"):
        load(tiny.settings("judge.device=cuda"))


class Knowing:
    """Knows the photographs by their sizes; ``blind`` to one of their classes."""

    thresholds = {"threshold": 0.3}  # noqa: RUF012

    def __init__(self, blind=None):
        sizes = {tuple(p.pixels.shape[1:]): PHOTOGRAPHS[p.name] for p in photographs()}
        self.sizes = {size: "dog" if name == blind else name for size, name in sizes.items()}

    def examine(self, images):
        box = np.array([[0, 0, 9, 9, 0.8]], np.float32)
        seen = {self.sizes[tuple(images.shape[2:])]: box}
        return [Detections(seen, lambda name, indices: [])]


def test_photographs_that_are_recognized_prove_a_detector():
    prove(Knowing(), photographs())
    for name, content in PHOTOGRAPHS.items():
        with pytest.raises(
            BenchError, match=f"must not score: of the picture '{name}'.*dog with score 0.80"
        ):
            prove(Knowing(blind=content), photographs())


def test_a_mask2former_that_recognizes_nothing_must_not_score(tmp_path):
    folder = tiny.write_weights(tmp_path)
    with pytest.raises(
        BenchError, match=r"must not score: of the picture 'chelsea'.*found nothing"
    ):
        load_detector(tiny.settings(f"judge.weights={folder}"))


def test_a_wrong_color_classifier_must_not_score(monkeypatch):
    judge = load(tiny.settings())
    object.__setattr__(judge, "tested", True)
    monkeypatch.setattr("bench.geneval.judge.prove", lambda judge, pictures: None)
    right = iter(SURE_COLORS)
    object.__setattr__(judge, "classifier", lambda name, crops: [next(right)])
    judge.prove()
    object.__setattr__(judge, "classifier", lambda name, crops: ["red"])
    with pytest.raises(BenchError, match="it calls a green disk red"):
        judge.prove()


def test_a_disk_is_its_color_on_gray():
    pixels = np.asarray(disk("blue"))
    assert tuple(pixels[64, 64]) == (0, 0, 255) and tuple(pixels[0, 0]) == (0x99,) * 3


def test_photographs_need_scikit_image(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(BenchError, match=r"pip install 'guidance-bench\[judge\]'"):
        photographs()


def test_the_packaged_miniature_s_judge_proves_itself():
    MiniatureJudge.load().prove()


@pytest.mark.parametrize("damage", ["zeroed", "permuted classes", "permuted colors"])
def test_a_broken_head_of_the_miniature_s_judge_is_refused(damage):
    judge = MiniatureJudge.load()
    weight, bias = judge.network.head.weight.data, judge.network.head.bias.data
    if damage == "zeroed":
        weight.zero_(), bias.zero_()
    else:
        span = slice(1, 81) if "classes" in damage else slice(85, 95)
        weight[span], bias[span] = weight[span].roll(1, 0), bias[span].roll(1, 0)
    with pytest.raises(BenchError, match="detector is broken and must not score"):
        judge.prove()


def test_golden_pictures_are_the_miniature_s_own_scenes():
    """They are what their docstring says, where the font to draw them is installed."""
    pytest.importorskip("fonticon_mdi7")
    from training import scenes

    records = generate()
    for seed, picture in enumerate(pictures()):
        first = next(r for r in records if r["tag"] == picture.metadata["tag"])
        assert picture.metadata == first
        drawn = scenes.render(first, np.random.default_rng(seed)).image
        pixels = (picture.pixels * 255).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(pixels, drawn)
