"""What GenEval does not punish: objects beyond those asked for, and the same image again.

GenEval asks whether what was asked for is there. A half-formed ghost beside it costs nothing, and
of four right images all four may be one. From the detections of its own judge:

extras      an image's detections above GenEval's threshold (0.3) beyond those asked for: of the
            classes asked for, and of others. On photographs others may belong to the surroundings.
strict      GenEval's protocol with its counting threshold (0.9) for every task, and no extras
distinct    how many of a prompt's images are right and different from one another
doubt       how many detections the detector expects to be wrong about: the sum of min(p, 1 - p)
            over scores p from 0.05 on, ghosts and blurred objects being those it is unsure of

Doubt was measured on 240 scenes drawn for the miniature and the same scenes with a ghost beside
the objects, a glyph of 30 to 60 % opacity: the area under its ROC curve is 0.94, and 0.79 where
both went through the miniature's autoencoder, which removes some ghosts. That of extras is 0.87
and 0.80, of the size of a JPEG file 0.75 (blur makes it smaller), of high frequencies 0.57.
Blurred by three passes of a binomial filter of three pixels the scenes raise doubt with 0.88, by
one pass with 0.59. It is worth as much as the scores' calibration: the miniature's are calibrated,
Mask2Former's are not.

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
FAINT = 0.05  # scores below it count as nothing seen
SAME = 0.7  # IoU from which two boxes are one object
# Squared distance of normalized features below which two images are copies. Calibrated in the
# features of the miniature's clip on 600 drawn scenes: below it lie all copies with latent noise of
# 10 % of the latents' deviation, 94 % with 20 %, and 4 % of other drawings of the same prompt.
COPY = 0.005


def judged(detector: Detector, metadata: Metadata, images: Tensor) -> dict[str, Any]:
    """What a detector says of (B, 3, H, W) images of one prompt: geneval, reasons, detections,
    extras and strict of a record."""
    found: dict[str, Any] = {"geneval": [], "reasons": [], "detections": []}
    found |= {"extras": {"asked": [], "other": []}, "strict": [], "doubt": []}
    for seen in detector.examine(images):
        verdict = evaluate(metadata, seen.boxes, seen.colors, **detector.thresholds)
        detections = detected(seen.boxes, detector.thresholds)
        more = extras(metadata, detections)
        found["geneval"].append(verdict.correct)
        found["reasons"].append(verdict.reasons)
        found["detections"].append([list(detection) for detection in detections])
        for kind, count in more.items():
            found["extras"][kind].append(count)
        found["doubt"].append(doubt(seen.boxes, detector.thresholds))
        tidy = verdict.correct and not any(more.values())
        found["strict"].append(tidy and surely(metadata, seen, detector.thresholds))
    return found


def detected(boxes: Mapping[str, Boxes], thresholds: Mapping[str, Any]) -> list[Detection]:
    """The detections above GenEval's threshold, most confident first, each object once."""
    found = _once(boxes, thresholds.get("threshold", GENEVAL["threshold"]), thresholds)
    return [(name, *_rounded(line)) for name, line in found]


def doubt(boxes: Mapping[str, Boxes], thresholds: Mapping[str, Any]) -> float:
    """How many of the objects seen, each once, the detector expects to be wrong about."""
    scores = [float(line[4]) for _, line in _once(boxes, FAINT, thresholds)]
    return round(sum(min(score, 1 - score) for score in scores), 4)


def _once(
    boxes: Mapping[str, Boxes], above: float, thresholds: Mapping[str, Any]
) -> list[tuple[str, Boxes]]:
    """Class and (5,) line of the detections with a score ``above``, most confident first, without
    those on the place of a more confident one."""
    limits = [thresholds.get(key, GENEVAL[key]) for key in ("max_objects", "max_overlap")]
    arrays = {name: np.asarray(of, np.float32).reshape(-1, 5) for name, of in boxes.items()}
    lines = [(name, of[i]) for name, of in arrays.items() for i in select(of, above, *limits)]
    lines.sort(key=lambda line: -line[1][4])
    kept: list[tuple[str, Boxes]] = []
    for name, line in lines:
        if all(iou(other, line) < np.float32(SAME) for _, other in kept):
            kept.append((name, line))
    return kept


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
