"""GenEval's judgement of one image, as pure logic: detections in, verdict out.

Source: Ghosh et al., "GenEval: An Object-Focused Framework for Evaluating Text-to-Image
Alignment", NeurIPS 2023, arXiv 2310.11513, and its published evaluator. Where the paper leaves a
choice open (ties, float32 comparisons, cap before suppression, vanishing offsets), this follows
the evaluator. Detectors and color classifiers are the caller's business.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.geneval.prompts import CLASSES, COLORS, POSITIONS

Boxes = npt.NDArray[np.float32]
ColorOf = Callable[[str, list[int]], Sequence[str]]

DIRECTION_SHARE = 0.5  # a direction counts where its share of the offset is above this
NO_OFFSET = 1e-3  # pixels: shrunken offsets below it on both axes are no relation at all


@dataclass(frozen=True)
class Verdict:
    """An image's judgement.

    ``reasons``: what failed, one sentence per failed clause; empty where ``correct``.
    ``kept``: class -> indices into that class's detections, most confident first; a class of
    which nothing was kept is absent.
    """

    correct: bool
    reasons: list[str]
    kept: dict[str, list[int]]


def evaluate(
    metadata: Mapping[str, Any],
    detections: Mapping[str, npt.ArrayLike],
    colour_of: ColorOf,
    *,
    threshold: float = 0.3,
    counting_threshold: float = 0.9,
    max_objects: int = 16,
    max_overlap: float = 1.0,
    position_threshold: float = 0.1,
) -> Verdict:
    """Judge one image by the include and exclude clauses of its GenEval ``metadata``.

    ``detections``: class name -> (k, 5) of x0, y0, x1, y1 in pixels (y downwards) and a score.
    ``colour_of(class, indices)`` names the color of each of those detections; it is asked only
    about the ``count`` most confident ones of an include clause with a color.
    ``threshold``: the score to exceed, replaced by ``counting_threshold`` for the counting task.
    ``max_objects``: cap per class, before suppression. ``max_overlap``: the IoU from which a box
    is suppressed by a more confident one (1: no suppression, not even of identical boxes).
    ``position_threshold``: the share of the summed box sizes that shrinks an offset.

    Raises ValueError for malformed detections, clauses, colors or settings.
    """
    if max_objects < 1 or not 0 <= max_overlap <= 1 or not 0 <= position_threshold < math.inf:
        raise ValueError(
            "expected max_objects >= 1, max_overlap in [0, 1] and position_threshold >= 0, got "
            f"{max_objects}, {max_overlap} and {position_threshold}"
        )
    boxes = {name: _as_boxes(name, array) for name, array in detections.items()}
    cutoff = counting_threshold if _get(metadata, "tag") == "counting" else threshold
    chosen = {name: select(b, cutoff, max_objects, max_overlap) for name, b in boxes.items()}
    kept = {name: indices for name, indices in chosen.items() if indices}

    reasons: list[str] = []
    matched: list[Boxes | None] = []  # by include clause: its objects, None where it failed
    for clause in metadata.get("include", ()):
        name, count = _class_and_count(clause)
        first = kept.get(name, [])[:count]
        objects = boxes[name][first] if first else np.zeros((0, 5), np.float32)
        reason = ""
        if len(first) < count:
            reason = f"expected {count} of {name}, found {len(first)}"
        elif "color" in clause:
            reason = _wrong_color(name, clause["color"], first, colour_of)
        if "position" in clause:
            relation, target = _relation_and_target(clause["position"], len(matched))
            reason = reason or _misplaced(
                name, relation, objects, matched[target], position_threshold
            )
        matched.append(None if reason else objects)
        reasons += [reason] if reason else []
    for clause in metadata.get("exclude", ()):
        name, count = _class_and_count(clause)
        found = len(kept.get(name, []))
        if found >= count:
            reasons.append(f"expected fewer than {count} of {name}, found {found}")
    return Verdict(not reasons, reasons, kept)


def check_metadata(metadata: Mapping[str, Any]) -> None:
    """Raise ValueError for metadata that ask for nothing, or for what cannot be judged."""
    if not isinstance(metadata.get("include"), list) or not metadata["include"]:
        raise ValueError("it has no include clauses of GenEval")
    try:
        evaluate(metadata, {}, lambda name, indices: [])
        clauses = [*metadata["include"], *metadata.get("exclude", ())]
        wrong = [clause["class"] for clause in clauses if clause["class"] not in CLASSES]
        wrong += [c["color"] for c in clauses if "color" in c and c["color"] not in COLORS]
    except TypeError as error:
        raise ValueError(f"its clauses are malformed: {error}") from None
    if wrong:
        near = get_close_matches(str(wrong[0]), (*CLASSES, *COLORS), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{wrong[0]!r} is no class or color of GenEval{hint}")


def select(boxes: Boxes, threshold: float, max_objects: int, max_overlap: float) -> list[int]:
    """Indices of the (k, 5) ``boxes`` to judge, most confident first, of equal scores the latest.

    The threshold is compared in float32: a score of float32(0.3) does not exceed 0.3.
    """
    order = np.argsort(boxes[:, 4], kind="stable")[::-1]
    order = order[boxes[order, 4] > np.float32(threshold)][:max_objects]
    candidates: list[int] = order.tolist()
    if max_overlap == 1:
        return candidates
    kept: list[int] = []
    for index in candidates:
        if all(iou(boxes[other], boxes[index]) < np.float32(max_overlap) for other in kept):
            kept.append(index)
    return kept


def iou(a: Boxes, b: Boxes) -> np.float32:
    """Intersection over union of two boxes whose corners are pixels, both inside: + 1 a side."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:4], b[2:4])
    inter = _area(low, high)
    union = _area(a[:2], a[2:4]) + _area(b[:2], b[2:4]) - inter
    return inter / union if union else np.float32(0)


def relations(a: Boxes, b: Boxes, position_threshold: float = 0.1) -> set[str]:
    """Where box ``a`` lies seen from ``b``: up to two of POSITIONS.

    The centers' offset is shrunk by a share of the summed sizes, per axis and never past zero, and
    divided by the norm of the raw offset; a direction counts where the quotient exceeds 0.5.
    """
    corners = np.stack([a[:4], b[:4]]).reshape(2, 2, 2)  # box, corner, axis
    center_a, center_b = corners.mean(axis=1)
    sizes = np.abs(corners[:, 1] - corners[:, 0]).sum(axis=0)
    offset = center_a - center_b
    shrunk = np.maximum(np.abs(offset) - np.float32(position_threshold) * sizes, 0)
    if (shrunk < NO_OFFSET).all():  # also covers a raw norm of zero
        return set()
    dx, dy = np.sign(offset) * shrunk / np.linalg.norm(offset)
    strength = {"left of": -dx, "right of": dx, "above": -dy, "below": dy}
    return {relation for relation in POSITIONS if strength[relation] > DIRECTION_SHARE}


def by_task(verdicts_by_task: Mapping[str, Sequence[bool]]) -> dict[str, float]:
    """Task -> share of its images that are correct. Raises ValueError for a task without images."""
    empty = [task for task, verdicts in verdicts_by_task.items() if not len(verdicts)]
    if empty:
        raise ValueError(f"no share of correct images without images: {', '.join(empty)}")
    return {task: sum(map(bool, v)) / len(v) for task, v in verdicts_by_task.items()}


def overall(verdicts_by_task: Mapping[str, Sequence[bool]]) -> float:
    """GenEval's headline: the mean over tasks, not over images, of the share correct."""
    shares = by_task(verdicts_by_task)
    if not shares:
        raise ValueError("an overall score needs the verdicts of at least one task, got none")
    return sum(shares.values()) / len(shares)


def _area(low: Boxes, high: Boxes) -> np.float32:
    width, height = np.maximum(high - low + np.float32(1), np.float32(0))
    return np.float32(width * height)


def _wrong_color(name: str, color: str, indices: list[int], colour_of: ColorOf) -> str:
    """Why these objects are not all of this color; empty if they are."""
    colors = list(colour_of(name, indices)) if indices else []
    if len(colors) != len(indices):
        raise ValueError(f"colour_of({name!r}, {indices}) must name a color each, got {colors}")
    seen = ", ".join(f"{n} {c}" for c, n in Counter(colors).items())
    wrong = any(c != color for c in colors)
    return f"expected {len(indices)} of {color} {name}, found {seen}" if wrong else ""


def _misplaced(
    name: str, relation: str, objects: Boxes, targets: Boxes | None, position_threshold: float
) -> str:
    """Why not every object is in this relation to every target; empty if every one is."""
    if targets is None:
        return f"expected {name} {relation} a target, whose own clause failed"
    for a in objects:
        for b in targets:
            found = relations(a, b, position_threshold)
            if relation not in found:
                seen = " and ".join(sorted(found)) or "in no clear relation to"
                return f"expected {name} {relation} its target, found it {seen} the target"
    return ""


def _as_boxes(name: str, array: npt.ArrayLike) -> Boxes:
    with np.errstate(over="ignore"):  # an overflow to infinity is reported just below
        boxes = np.asarray(array, dtype=np.float32)
    if boxes.shape == (0,):
        boxes = boxes.reshape(0, 5)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(
            f"detections of {name!r} must have shape (k, 5): x0, y0, x1, y1, score; "
            f"got {boxes.shape}"
        )
    if not np.isfinite(boxes).all():
        raise ValueError(f"detections of {name!r} must be finite in float32")
    return boxes


def _get(mapping: Mapping[str, Any], key: str) -> Any:
    if key not in mapping:
        raise ValueError(f"GenEval metadata lacks {key!r} in {dict(mapping)}")
    return mapping[key]


def _class_and_count(clause: Mapping[str, Any]) -> tuple[str, int]:
    name, count = _get(clause, "class"), _get(clause, "count")
    if not isinstance(count, int) or count < 0:
        raise ValueError(f"the count of {name!r} must be an integer >= 0, got {count!r}")
    return name, count


def _relation_and_target(position: Sequence[Any], clauses: int) -> tuple[str, int]:
    """Check a clause's [relation, index of the target's clause] against the clauses before it."""
    relation, target = position
    if relation not in POSITIONS:
        raise ValueError(f"unknown position {relation!r}; choose from {', '.join(POSITIONS)}")
    if not isinstance(target, int) or not 0 <= target < clauses:
        raise ValueError(
            f"position target {target!r} must be the index of an earlier include clause "
            f"({clauses} so far)"
        )
    return relation, target
