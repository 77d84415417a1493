"""Judging delivered images: GenEval's verdicts, every score, diversity. Outside the clock.

A detector of GenEval is known by its name in ``DETECTORS``, which may be added to. Scores and
diversity do not depend on it: they are recorded with judge=none too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from bench.errors import BenchError, explained
from bench.geneval.detector import Detector
from bench.geneval.protocol import check_metadata
from bench.judge import clutter
from bench.outside import OUTSIDE
from bench.prompts.choice import Metadata, Prompt
from bench.rewards import LoadedReward, load_reward
from bench.settings import check_keys
from methods.settings import one_of

if TYPE_CHECKING:
    from bench.judge.outside import OutsideJudge

Settings = Mapping[str, Any]  # a ``judge`` config
TRUTH, MOLECULES, NONE = "truth", "molecules", "none"
TRUTHS = {"mixture": "bench.mixture.judge", "strings": "bench.tokens.judge"}  # by kind of backbone
NAMED = ["name", "kind"]
FEATURES = "clip"  # the reward whose image features measure diversity, where there is one


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


def _check_mask2former(settings: Settings) -> None:
    from bench.geneval.judge import check

    check(settings)


def _mask2former(settings: Settings) -> Detector:
    from bench.geneval.judge import load

    return load(settings)


DETECTORS: dict[str, Kind] = {
    "miniature": Kind(_check_names, _miniature),
    "mask2former": Kind(_check_mask2former, _mask2former),
}


def check_judge(settings: Settings) -> None:
    """Raise ValueError or BenchError for an unknown kind of judge or a wrong setting of it."""
    if settings.get("kind") == OUTSIDE:
        from bench.judge.outside import check

        return check(settings)
    for key in NAMED:
        if not isinstance(settings.get(key), str):
            raise BenchError(f"judge.{key} must be text, got {settings.get(key)!r}")
    one_of("judge.kind", settings["kind"], [*DETECTORS, TRUTH, MOLECULES, NONE])
    kind = DETECTORS.get(settings["kind"])
    (kind.check if kind else _check_names)(settings)


def check_prompts(settings: Settings, prompts: Iterable[Prompt]) -> None:
    """Raise ValueError, before anything is sampled, for a prompt that the judge cannot judge."""
    if settings["kind"] not in DETECTORS:
        return
    for prompt in prompts:
        try:
            check_metadata(prompt.metadata)
        except ValueError as error:
            raise ValueError(
                f"judge={settings['name']} cannot judge prompt {prompt.index} "
                f"({prompt.text[:60]!r}): {error}; judge=none records scores and diversity of "
                "any prompts"
            ) from None


def load_detector(settings: Settings) -> Detector:
    """The detector of a ``judge`` config, loaded and put to its self-test once per process.

    BenchError where it cannot be loaded or fails, and for a judge that has no detector.
    """
    with explained():
        if settings["kind"] not in DETECTORS:
            raise BenchError(
                f"judge={settings['name']} judges no images: choose from {', '.join(DETECTORS)}"
            )
        return proven(json.dumps(settings, sort_keys=True))


@cache
def proven(text: str) -> Detector:
    """The detector of these settings, as JSON, after its self-test."""
    settings = json.loads(text)
    detector = DETECTORS[settings["kind"]].load(settings)
    detector.prove()
    return detector


def _outside(settings: Settings) -> OutsideJudge:
    from bench.judge.outside import make

    return make(settings)


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
class ImageJudge:
    """GenEval where there is a ``detector``, what a user's ``own`` judge says, all ``scores``, and
    diversity in ``clip``'s features.

    Without any of them nothing is judged: for measuring costs alone.
    """

    detector: Detector | None
    scores: Mapping[str, LoadedReward]
    clip: Any = None
    own: OutsideJudge | None = None
    device: torch.device | str = "cpu"  # of the rewards

    def digest(self) -> str:
        judge = self.own or self.detector
        return judge.digest() if judge else NONE

    def judge(self, metadata: Metadata, images: Tensor) -> dict[str, Any]:
        """geneval, reasons, what else the detections tell (`bench.judge.clutter`), scores,
        diversity, distinct, and where a prompt was cut for a score."""
        record: dict[str, Any] = {}
        if self.detector:
            record |= clutter.judged(self.detector, metadata, images)
        if self.own:
            record |= self.own.judge(metadata, images)
        if self.detector or self.own or self.scores:
            on_device, right = images.to(self.device), record.get("geneval")
            record |= self._scored(metadata["prompt"], on_device, right)
        return record

    @torch.no_grad()
    def _scored(self, prompt: str, images: Tensor, right: Sequence[bool] | None) -> dict[str, Any]:
        values = {n: r(images, prompt).tolist() for n, r in self.scores.items()}
        features = None if self.clip is None else self.clip.features(images)
        spread = None if features is None else diversity(features)
        count = None if features is None or right is None else clutter.distinct(right, features)
        cut = {n: lost for n, r in self.scores.items() if (lost := r.cut(prompt))}
        return {
            "scores": {n: [round(v, 6) for v in vs] for n, vs in values.items()},
            "diversity": None if spread is None else round(spread, 6),
            **({} if count is None else {"distinct": count}),
            **({"cut": cut} if cut else {}),
        }


def _features(settings: Mapping[str, Any]) -> bool:
    """Whether a cell measures diversity in the features of the reward named ``FEATURES``."""
    kind = settings["judge"]["kind"]
    judged = kind in (*DETECTORS, OUTSIDE) or (kind == NONE and settings["scores"])
    return bool(judged) and FEATURES in settings["rewards"]


def names_used(settings: Mapping[str, Any]) -> list[str]:
    """Names of the rewards of a cell: the guiding one, every score, and whose features are used."""
    features = [FEATURES] if _features(settings) else []
    return list(dict.fromkeys([settings["reward"], *settings["scores"], *features]))


def load_judge(
    judge: Settings, settings: Mapping[str, Any], device: torch.device | str = "cpu"
) -> Judge:
    """The ``judge`` of a cell's settings: a detector, the exact target, or scores alone."""
    if judge["kind"] == TRUTH:
        module = TRUTHS[settings["backbone"]["kind"]]
        load, scale = import_module(module).load, settings.get("target_scale")
        return load(settings["scores"], settings["reward"], scale, settings["backbone"])
    if judge["kind"] == MOLECULES:
        from bench.molecules.judge import load as load_molecules

        given = settings["rewards"]
        own_scores = {score: load_reward(score, given) for score in settings["scores"]}
        exact = settings["backbone"]["kind"] == "molecules"
        return load_molecules(own_scores, settings["reward"], settings.get("target_scale"), exact)
    detector = None if judge["kind"] in (NONE, OUTSIDE) else load_detector(judge)
    own = _outside(judge) if judge["kind"] == OUTSIDE else None
    rewards = settings["rewards"]
    scores = {score: load_reward(score, rewards, device) for score in settings["scores"]}
    clip = load_reward(FEATURES, rewards, device) if _features(settings) else None
    clip = clip if hasattr(clip, "features") else None
    return ImageJudge(detector, scores, clip, own, device)
