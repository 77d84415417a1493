"""Judging delivered images: GenEval's verdicts, every score, diversity. Outside the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from bench.errors import explained
from bench.geneval.prompts import Metadata
from bench.geneval.protocol import Verdict, evaluate
from bench.rewards import LoadedReward, load_reward
from methods.settings import one_of


class Detector(Protocol):
    """A detector and a color classifier, with the protocol's thresholds that suit them."""

    @property
    def thresholds(self) -> Mapping[str, Any]: ...

    def detect(self, images: Tensor) -> list[dict[str, np.ndarray]]: ...

    def colors(self, image: Tensor, name: str, boxes: np.ndarray) -> list[str]: ...

    def digest(self) -> str: ...


def _miniature() -> Detector:
    from bench.miniature.judge import MiniatureJudge

    return MiniatureJudge.load()


DETECTORS: dict[str, Callable[[], Detector]] = {"miniature": _miniature}
FEATURES = "clip"  # the reward whose image features measure diversity, where there is one


@cache
def load_detector(name: str) -> Detector:
    """The detector called ``name``, loaded once per process; BenchError as ``load_reward``."""
    with explained():
        one_of("judge", name, list(DETECTORS))
        return DETECTORS[name]()


def verdicts(judge: Detector, metadata: Metadata, images: Tensor) -> list[Verdict]:
    """GenEval's verdict on each of (B, 3, H, W) images of one prompt."""
    found = []
    for image, detections in zip(images, judge.detect(images), strict=True):

        def colour_of(
            name: str,
            indices: Sequence[int],
            image: Tensor = image,
            detections: Mapping[str, np.ndarray] = detections,
        ) -> list[str]:
            return judge.colors(image, name, detections[name][list(indices), :4])

        found.append(evaluate(metadata, detections, colour_of, **judge.thresholds))
    return found


def diversity(features: Tensor) -> float:
    """Mean squared distance between normalised features (B, d) over the pairs; 0 is collapsed."""
    count = len(features)
    if count < 2:
        return 0.0
    gaps = torch.cdist(features.double(), features.double()).square()
    return float(gaps.sum() / (count * (count - 1)))


class Judge(Protocol):
    """The judging part of a record, of one prompt's delivered images."""

    def judge(self, metadata: Metadata, images: Tensor) -> dict[str, Any]: ...

    def digest(self) -> str: ...


@dataclass(frozen=True)
class GenEvalJudge:
    """GenEval by ``detector``, every score, and diversity in the features of ``clip``."""

    detector: Detector
    scores: Mapping[str, LoadedReward]
    clip: Any = None
    device: torch.device | str = "cpu"  # of the rewards

    def digest(self) -> str:
        return self.detector.digest()

    def judge(self, metadata: Metadata, images: Tensor) -> dict[str, Any]:
        """geneval, reasons, scores, diversity, and where a prompt was cut for a score."""
        prompt = metadata["prompt"]
        results = verdicts(self.detector, metadata, images)
        images = images.to(self.device)
        with torch.no_grad():
            values = {n: r(images, prompt).tolist() for n, r in self.scores.items()}
            spread = None if self.clip is None else diversity(self.clip.features(images))
        cut = {n: lost for n, r in self.scores.items() if (lost := r.cut(prompt))}
        return {
            "geneval": [v.correct for v in results],
            "reasons": [v.reasons for v in results],
            "scores": {n: [round(v, 6) for v in vs] for n, vs in values.items()},
            "diversity": None if spread is None else round(spread, 6),
            **({"cut": cut} if cut else {}),
        }


TRUTH = "truth"
JUDGES = (*DETECTORS, TRUTH)


def names_used(settings: Mapping[str, Any]) -> list[str]:
    """Names of the rewards of a cell: the guiding one, every score, and whose features are used."""
    names = [settings["reward"], *settings["scores"]]
    if FEATURES in settings["rewards"] and settings["judge"] != TRUTH:
        names.append(FEATURES)
    return list(dict.fromkeys(names))


def load_judge(name: str, settings: Mapping[str, Any], device: torch.device | str = "cpu") -> Judge:
    """The judge of a cell's settings: GenEval by the detector ``name``, or the exact target."""
    if name == TRUTH:
        from bench.truth.judge import load

        scale = settings.get("target_scale")
        return load(settings["scores"], settings["reward"], scale, settings["backbone"])
    rewards = settings["rewards"]
    scores = {score: load_reward(score, rewards, device) for score in settings["scores"]}
    clip = load_reward(FEATURES, rewards, device) if FEATURES in rewards else None
    clip = clip if hasattr(clip, "features") else None
    return GenEvalJudge(load_detector(name), scores, clip, device)
