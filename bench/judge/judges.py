"""Judging delivered images: GenEval's verdicts, every score, diversity. Outside the clock."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

from bench.errors import BenchError, explained
from bench.geneval.detector import Detector, verdicts
from bench.geneval.prompts import Metadata
from bench.rewards import LoadedReward, load_reward
from bench.settings import check_keys
from methods.settings import one_of

Settings = Mapping[str, Any]  # a ``judge`` config
TRUTH, NONE = "truth", "none"
NAMED = ["name", "kind"]


@dataclass(frozen=True)
class Kind:
    """How a kind of detector checks its settings, and how it is loaded."""

    check: Callable[[Settings], None]
    load: Callable[[Settings], Detector]


def _check_names(settings: Settings) -> None:
    check_keys("judge", settings, NAMED)


def _miniature(settings: Settings) -> Detector:
    from bench.miniature.judge import MiniatureJudge

    return MiniatureJudge.load()


FEATURES = "clip"  # the reward whose image features measure diversity, where there is one


def _check_mask2former(settings: Settings) -> None:
    from bench.geneval.judge import check

    check(settings)


def _mask2former(settings: Settings) -> Detector:
    from bench.geneval.judge import load

    return load(settings)


DETECTORS = {
    "miniature": Kind(_check_names, _miniature),
    "mask2former": Kind(_check_mask2former, _mask2former),
}
JUDGES = (*DETECTORS, TRUTH, NONE)


def check_judge(settings: Settings) -> None:
    """Raise ValueError or BenchError for an unknown kind of judge or a wrong setting of it."""
    one_of("judge.kind", settings["kind"], JUDGES)
    kind = DETECTORS.get(settings["kind"])
    (kind.check if kind else _check_names)(settings)


def load_detector(settings: Settings) -> Detector:
    """The detector of a ``judge`` config, loaded and put to its self-test once per process.

    BenchError where it cannot be loaded or fails, and for a judge that has no detector.
    """
    with explained():
        if settings["kind"] not in DETECTORS:
            raise BenchError(
                f"judge={settings['name']} judges no images: choose from {', '.join(DETECTORS)}"
            )
        return _proven(json.dumps(settings, sort_keys=True))


@cache
def _proven(text: str) -> Detector:
    settings = json.loads(text)
    detector = DETECTORS[settings["kind"]].load(settings)
    detector.prove()
    return detector


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


@dataclass(frozen=True)
class NoJudge:
    """Judges nothing: for measuring costs."""

    def digest(self) -> str:
        return NONE

    def judge(self, metadata: Metadata, images: Tensor) -> dict[str, Any]:
        return {}


def names_used(settings: Mapping[str, Any]) -> list[str]:
    """Names of the rewards of a cell: the guiding one, every score, and whose features are used."""
    judged = settings["judge"]["kind"]
    names = [settings["reward"], *(settings["scores"] if judged != NONE else ())]
    if FEATURES in settings["rewards"] and judged not in (TRUTH, NONE):
        names.append(FEATURES)
    return list(dict.fromkeys(names))


def load_judge(
    judge: Settings, settings: Mapping[str, Any], device: torch.device | str = "cpu"
) -> Judge:
    """The ``judge`` of a cell's settings: GenEval by a detector, the exact target, or nobody."""
    if judge["kind"] == NONE:
        return NoJudge()
    if judge["kind"] == TRUTH:
        from bench.mixture.judge import load

        scale = settings.get("target_scale")
        return load(settings["scores"], settings["reward"], scale, settings["backbone"])
    rewards = settings["rewards"]
    scores = {score: load_reward(score, rewards, device) for score in settings["scores"]}
    clip = load_reward(FEATURES, rewards, device) if FEATURES in rewards else None
    clip = clip if hasattr(clip, "features") else None
    return GenEvalJudge(load_detector(judge), scores, clip, device)
