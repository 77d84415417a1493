"""Judging: diversity, JPEG size, and verdicts through detector, colors and protocol."""

import numpy as np
import pytest
import torch

from bench.geneval.detector import Detections, verdicts
from bench.judge.judges import DETECTORS, Kind, check_judge, diversity, load_detector
from bench.rewards import load_reward
from bench.store.images import from_bytes, to_bytes


def test_diversity_is_the_mean_squared_distance_over_pairs():
    features = torch.nn.functional.normalize(torch.randn(4, 8, dtype=torch.float64), dim=1)
    pairs = [(features[i] - features[j]).square().sum() for i in range(4) for j in range(i)]
    assert diversity(features) == pytest.approx(float(sum(pairs) / len(pairs)))
    assert diversity(features[:1].expand(4, -1)) == pytest.approx(0, abs=1e-12)
    assert diversity(features[:1]) == 0


def test_a_detector_is_added_by_its_name(monkeypatch):
    class Mine(PaintedJudge):
        def prove(self):
            self.proven = True

    monkeypatch.setitem(DETECTORS, "mine", Kind(check=lambda settings: None, load=lambda s: Mine()))
    settings = {"name": "mine", "kind": "mine", "size": 3}
    check_judge(settings)
    assert load_detector(settings).proven


def test_jpeg_prefers_a_plain_image_and_ignores_the_prompt():
    plain = torch.full((1, 3, 64, 64), 0.5)
    noisy = torch.rand((1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    reward = load_reward("jpeg", {"jpeg": {"kind": "jpeg"}})
    scores = reward(torch.cat([plain, noisy]), "x")
    assert scores[0] > scores[1] and not reward.differentiable
    assert torch.equal(scores, reward(torch.cat([plain, noisy]), "y"))


def test_eight_bits_and_back_is_exact():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(np.uint8)
    assert (to_bytes(from_bytes(pixels)) == pixels).all()


class PaintedJudge:
    """Knows one red cat at the left of each image, from the image's own first pixel."""

    def __init__(self):
        self.thresholds = {"threshold": 0.3}

    def examine(self, images):
        return [self.seen(np.array([[0, 0, 10, 10, float(i[0, 0, 0])]])) for i in images]

    def seen(self, boxes):
        def colors(name, indices):
            assert (name, indices) == ("cat", [0])
            return ["red"]

        return Detections({"cat": boxes}, colors)


def test_verdicts_pass_detections_colors_and_thresholds_to_the_protocol():
    images = torch.zeros(3, 3, 8, 8)
    images[:, 0, 0, 0] = torch.tensor([0.9, 0.2, 0.9])
    record = {"tag": "colors", "include": [{"class": "cat", "count": 1, "color": "red"}]}
    assert [v.correct for v in verdicts(PaintedJudge(), record, images)] == [True, False, True]
    record["include"][0]["color"] = "blue"
    assert not any(v.correct for v in verdicts(PaintedJudge(), record, images))
