"""What a judge must offer: detections with colors, thresholds, and a proof that it works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from bench.geneval.prompts import Metadata
from bench.geneval.protocol import Boxes, ColorOf, Verdict, evaluate


@dataclass(frozen=True)
class Detections:
    """What is seen in one image.

    ``boxes``: class -> (k, 5) of x0, y0, x1, y1 in pixels (y downwards) and a score.
    ``colors(class, indices)``: the color of each of those detections. It belongs to the image, so
    a detector with masks looks at the object alone.
    """

    boxes: Mapping[str, Boxes]
    colors: ColorOf


class Detector(Protocol):
    """A detector and a color classifier, with the protocol's thresholds that suit them.

    ``examine`` takes images (B, 3, H, W) in [0, 1]. ``prove`` raises BenchError where the detector
    does not recognize pictures whose content is known.
    """

    @property
    def thresholds(self) -> Mapping[str, Any]: ...

    def examine(self, images: Tensor) -> Sequence[Detections]: ...

    def prove(self) -> None: ...

    def digest(self) -> str: ...


def verdicts(detector: Detector, metadata: Metadata, images: Tensor) -> list[Verdict]:
    """GenEval's verdict on each of (B, 3, H, W) images of one prompt."""
    return [
        evaluate(metadata, seen.boxes, seen.colors, **detector.thresholds)
        for seen in detector.examine(images)
    ]
