"""GenEval's judge for images of any size: Mask2Former finds, CLIP names the colors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.device import check_device, resolve_device
from bench.errors import BenchError
from bench.geneval import architecture
from bench.geneval.architecture import UNTRAINED
from bench.geneval.colors import GRAY, ColorClassifier, crop
from bench.geneval.detector import Detections
from bench.geneval.instances import FLOOR, Instances
from bench.geneval.mask2former import Mask2Former
from bench.geneval.protocol import evaluate
from bench.geneval.selftest import photographs, prove
from bench.rewards import clip_model
from bench.rewards.clip_model import VIT_L_14
from bench.rewards.layouts import NATIVE_UNUSED, native
from bench.rewards.pretrained import Pretrained
from bench.settings import settings as build_settings
from bench.store.images import to_bytes
from bench.weights.files import digest
from bench.weights.source import Source, matching
from methods.settings import at_least, whole

SURE_COLORS = ("red", "green", "blue")  # a disk of these has no other name


@dataclass(frozen=True)
class Mask2FormerJudge:
    """``tested``: whether ``prove`` looks at photographs; else the digest says "untested"."""

    detector: Mask2Former
    classifier: ColorClassifier
    thresholds: Mapping[str, Any]
    weights: str
    tested: bool

    def examine(self, images: Tensor) -> list[Detections]:
        """What is in each of (B, 3, H, W) images in [0, 1], by class, highest score first."""
        return [
            self._detections(pixels, found)
            for pixels, found in zip(to_bytes(images), self.detector(images), strict=True)
        ]

    def _detections(self, pixels: np.ndarray, found: Instances) -> Detections:
        lines = torch.cat([found.boxes, found.scores[:, None]], 1).numpy()
        labels, boxes, masks = found.labels.numpy(), {}, {}
        for label in dict.fromkeys(labels.tolist()):
            name, own = self.detector.names[label], labels == label
            boxes[name], masks[name] = lines[own], found.masks.numpy()[own]
        return Detections(boxes, partial(self._colors, pixels, boxes, masks))

    def _colors(
        self,
        pixels: np.ndarray,
        boxes: Mapping[str, np.ndarray],
        masks: Mapping[str, np.ndarray],
        name: str,
        indices: Sequence[int],
    ) -> list[str]:
        crops = [crop(pixels, masks[name][i], boxes[name][i, :4].tolist()) for i in indices]
        return self.classifier(name, crops)

    def prove(self) -> None:
        """Raise BenchError unless known photographs and colored disks are recognized."""
        if not self.tested:
            return
        prove(self, photographs())
        for color in SURE_COLORS:
            (said,) = self.classifier("sports ball", [disk(color)])
            if said != color:
                raise BenchError(
                    f"the judge's color classifier is broken and must not score: it calls a "
                    f"{color} disk {said}; its weights may be damaged: fetch them again"
                )

    def digest(self) -> str:
        """sha256 of the weight files; "untested" stands before what has proved nothing."""
        return self.weights if self.tested else f"untested weights: {self.weights}"


def disk(color: str, side: int = 128) -> Any:
    """A disk of the color on the crops' gray, as a PIL picture."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (side, side), (GRAY,) * 3)
    ImageDraw.Draw(picture).ellipse((4, 4, side - 5, side - 5), fill=color)
    return picture


@dataclass(frozen=True)
class Mask2FormerSettings:
    """conf/judge/mask2former.yaml says what each setting is."""

    name: str
    kind: str
    weights: str
    device: Any
    batch: int
    shorter: int
    longer: int
    self_test: bool
    thresholds: dict[str, Any]
    detector: Any
    clip: Any

    def __post_init__(self) -> None:
        check_device("device", self.device)
        whole("batch", self.batch, 1)
        whole("shorter", self.shorter, 32)
        whole("longer", self.longer, self.shorter)


@dataclass(frozen=True)
class Thresholds:
    """GenEval's: see ``bench.geneval.protocol.evaluate``."""

    threshold: float
    counting_threshold: float
    max_objects: int
    max_overlap: float
    position_threshold: float

    def __post_init__(self) -> None:
        at_least("threshold", self.threshold, FLOOR)
        at_least("counting_threshold", self.counting_threshold, FLOOR)
        whole("max_objects", self.max_objects, 1)
        nothing: dict[str, Any] = {}
        evaluate({"tag": ""}, nothing, lambda name, indices: [], **vars(self))  # the other ranges


def check(settings: Mapping[str, Any]) -> None:
    """Raise BenchError for the first setting that is unknown, of another type or out of range."""
    build_settings(Mask2FormerSettings, settings, "judge")
    build_settings(Thresholds, settings["thresholds"], "judge.thresholds")


def load(settings: Mapping[str, Any]) -> Mask2FormerJudge:
    """The judge of ``settings`` (conf/judge/mask2former.yaml), unproven yet.

    Raises BenchError where weights are missing, damaged or of another network.
    """
    weights, device = settings["weights"], resolve_device(settings["device"])
    sources = {part: Source.of(settings[part]) for part in ("detector", "clip")}
    folders = {
        part: architecture.folder_of(weights, source, f"the judge's {part}")
        for part, source in sources.items()
    }
    tiny = weights == "tiny"
    network = architecture.build(
        "Mask2FormerForUniversalSegmentation",
        architecture.detector_config(tiny),
        folders["detector"],
    )
    names = architecture.labels(network, str(folders["detector"] or weights))
    named = weights in (architecture.PRETRAINED, *UNTRAINED)
    own = Pretrained(weights if named else str(folders["clip"]), settings["clip"])
    clip = clip_model.load(own, VIT_L_14, native, NATIVE_UNUSED, device, "the judge's clip")
    detector = Mask2Former(
        network.to(device),
        names,
        shorter=settings["shorter"],
        longer=settings["longer"],
        batch=settings["batch"],
    )
    files = [
        file
        for part, folder in folders.items()
        if folder
        for file in matching(sources[part], folder)
    ]
    return Mask2FormerJudge(
        detector,
        ColorClassifier(clip.model, clip.prompts.tokenizer),
        settings["thresholds"],
        digest(files) if files else weights,
        settings["self_test"] and weights not in UNTRAINED,
    )
