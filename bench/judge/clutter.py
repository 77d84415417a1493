"""What GenEval does not punish: objects beyond those asked for, and the same image again.

GenEval asks whether what was asked for is there. A half-formed ghost beside it costs nothing, and
of four right images all four may be one. From the detections of its own judge:

extras      an image's detections above GenEval's threshold (0.3) beyond those asked for: of the
            classes asked for, and of others. On photographs others may belong to the surroundings.
strict      GenEval's protocol with its counting threshold (0.9) for every task, and no extras
distinct    how many of a prompt's images are right and different from one another

A second detection on the same place, as of a detector that is unsure of the class, is no second
object: a box with an IoU of ``SAME`` or more with a more confident one is left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from bench.geneval.detector import Detections, Detector
from bench.geneval.prompts import Metadata
from bench.geneval.protocol import Boxes, evaluate, iou, select

Detection = tuple[str, float, float, float, float, float]  # class, x0, y0, x1, y1, score

GENEVAL = {"threshold": 0.3, "counting_threshold": 0.9, "max_objects": 16, "max_overlap": 1.0}
SAME = 0.7  # IoU from which two boxes are one object
# Squared distance of normalized features below which two images are copies. Calibrated in the
# features of the miniature's clip on 600 drawn scenes: below it lie all copies with latent noise of
# 10 % of the latents' deviation, 94 % with 20 %, and 4 % of other drawings of the same prompt.
COPY = 0.005


def judged(detector: Detector, metadata: Metadata, images: Tensor) -> dict[str, Any]:
    """What a detector says of (B, 3, H, W) images of one prompt: geneval, reasons, detections,
    extras and strict of a record."""
    found: dict[str, Any] = {"geneval": [], "reasons": [], "detections": []}
    found |= {"extras": {"asked": [], "other": []}, "strict": []}
    for seen in detector.examine(images):
        verdict = evaluate(metadata, seen.boxes, seen.colors, **detector.thresholds)
        detections = detected(seen.boxes, detector.thresholds)
        more = extras(metadata, detections)
        found["geneval"].append(verdict.correct)
        found["reasons"].append(verdict.reasons)
        found["detections"].append([list(detection) for detection in detections])
        for kind, count in more.items():
            found["extras"][kind].append(count)
        tidy = verdict.correct and not any(more.values())
        found["strict"].append(tidy and surely(metadata, seen, detector.thresholds))
    return found


def detected(boxes: Mapping[str, Boxes], thresholds: Mapping[str, Any]) -> list[Detection]:
    """The detections above GenEval's threshold, most confident first, each object once."""
    own = {key: thresholds.get(key, usual) for key, usual in GENEVAL.items()}
    limits = own["threshold"], own["max_objects"], own["max_overlap"]
    arrays = {name: np.asarray(of, np.float32).reshape(-1, 5) for name, of in boxes.items()}
    lines = [(name, of[i]) for name, of in arrays.items() for i in select(of, *limits)]
    lines.sort(key=lambda line: -line[1][4])
    kept: list[tuple[str, Boxes]] = []
    for name, line in lines:
        if all(iou(other, line) < np.float32(SAME) for _, other in kept):
            kept.append((name, line))
    return [(name, *_rounded(line)) for name, line in kept]


def _rounded(line: Boxes) -> tuple[float, float, float, float, float]:
    x0, y0, x1, y1, score = line.tolist()
    return round(x0, 1), round(y0, 1), round(x1, 1), round(y1, 1), round(score, 3)


def extras(metadata: Metadata, detections: Sequence[Detection]) -> dict[str, int]:
    """How many detections there are beyond the objects that the ``include`` clauses ask for: of
    the classes "asked" for, and of every "other"."""
    wanted: Counter[str] = Counter()
    for clause in metadata.get("include", ()):
        wanted[clause["class"]] += clause["count"]
    over = Counter(detection[0] for detection in detections) - wanted
    asked = sum(count for name, count in over.items() if name in wanted)
    return {"asked": asked, "other": over.total() - asked}


def surely(metadata: Metadata, seen: Detections, thresholds: Mapping[str, Any]) -> bool:
    """Whether the image is correct by objects above the counting threshold alone."""
    sure = thresholds.get("counting_threshold", GENEVAL["counting_threshold"])
    return evaluate(metadata, seen.boxes, seen.colors, **{**thresholds, "threshold": sure}).correct


def distinct(right: Sequence[bool], features: Tensor) -> int:
    """How many of the ``right`` images are no copies of one counted before, in their order.

    ``features`` (B, d) are normalized. Two images whose squared distance is below ``COPY`` are
    copies.
    """
    counted: list[Tensor] = []
    for own, good in zip(features.double(), right, strict=True):
        if good and all(float((own - other).square().sum()) >= COPY for other in counted):
            counted.append(own)
    return len(counted)
