"""A judge proves itself on pictures whose content is known, before it scores.

A detector that is broken (weights of another version, a head loaded in another order) finds
nothing, and every image scores 0 without a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from bench.errors import BenchError
from bench.geneval.detector import Detections, Detector
from bench.geneval.prompts import Metadata
from bench.geneval.protocol import evaluate
from bench.store.images import from_bytes

PHOTOGRAPHS = {"chelsea": "cat", "astronaut": "person", "coffee": "cup"}
MISSING = (
    "the judge proves itself on photographs of scikit-image, which is not installed: "
    "pip install 'guidance-bench[judge]', or judge.self_test=false to judge with it unproven"
)


@dataclass(frozen=True)
class Picture:
    """Pixels (3, H, W) in [0, 1] that are a correct image of ``metadata``."""

    name: str
    pixels: Tensor
    metadata: Metadata


def photographs() -> list[Picture]:
    """Photographs that scikit-image ships: a cat, a person, a cup. Raises BenchError without it."""
    try:
        from skimage import data
    except ImportError:
        raise BenchError(MISSING) from None
    found = []
    for name, content in PHOTOGRAPHS.items():
        metadata = {"tag": "single_object", "include": [{"class": content, "count": 1}]}
        pixels = from_bytes(getattr(data, name)()[None, ..., :3])[0]
        found.append(Picture(name, pixels, metadata))
    return found


def prove(detector: Detector, pictures: Iterable[Picture]) -> None:
    """Raise BenchError naming the first picture that ``detector`` judges to be wrong."""
    for picture in pictures:
        (seen,) = detector.examine(picture.pixels[None])
        verdict = evaluate(picture.metadata, seen.boxes, seen.colors, **detector.thresholds)
        if not verdict.correct:
            raise BenchError(
                f"the judge's detector is broken and must not score: of the picture "
                f"{picture.name!r}, known to be correct, it says {'; '.join(verdict.reasons)} "
                f"({_summary(seen)}); its weights may be of another version or damaged: fetch "
                "them again"
            )


def _summary(seen: Detections) -> str:
    best = {name: float(boxes[:, 4].max()) for name, boxes in seen.boxes.items() if len(boxes)}
    if not best:
        return "it found nothing"
    ranked = sorted(best.items(), key=lambda item: -item[1])[:3]
    return "it found " + ", ".join(f"{name} with score {score:.2f}" for name, score in ranked)
