"""GenEval's rules against a naive evaluator in plain Python floats.

Its boxes are such that the arithmetic is exact, or far from a tie.
"""

import math
from collections import Counter

import numpy as np
import pytest
from clauses import task, want

from bench.geneval.prompts import COLORS, POSITIONS
from bench.geneval.protocol import evaluate


def naive(metadata, detections, color_table, max_objects, max_overlap):
    cut = float(np.float32(0.9 if metadata["tag"] == "counting" else 0.3))
    kept = {}
    for name, boxes in detections.items():
        left = [i for i in range(len(boxes)) if boxes[i][4] > cut]
        left.sort(key=lambda i: (boxes[i][4], i), reverse=True)
        left, out = left[:max_objects], []
        while left:
            best, *left = left
            out.append(best)
            if max_overlap < 1:
                left = [i for i in left if naive_iou(boxes[best], boxes[i]) < max_overlap]
        if out:
            kept[name] = out
    held = []
    for clause in metadata["include"]:
        name, count = clause["class"], clause["count"]
        first = kept.get(name, [])[:count]
        good = len(first) == count
        if good and "color" in clause:
            good = Counter(color_table[name][i] for i in first)[clause["color"]] == count
        if good and "position" in clause:
            relation, target = clause["position"]
            good = held[target] is not None and all(
                naive_holds(relation, detections[name][i], box)
                for i in first
                for box in held[target]
            )
        held.append([detections[name][i] for i in first] if good else None)
    correct = None not in held
    for clause in metadata.get("exclude", []):
        correct = correct and len(kept.get(clause["class"], [])) < clause["count"]
    return correct, kept


def naive_iou(a, b):
    pixels = [
        {(x, y) for x in range(int(c[0]), int(c[2]) + 1) for y in range(int(c[1]), int(c[3]) + 1)}
        for c in (a, b)
    ]
    return len(pixels[0] & pixels[1]) / len(pixels[0] | pixels[1])


def naive_holds(relation, a, b):
    axis, sign = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}[
        relation
    ]
    offset = [(a[k] + a[k + 2]) / 2 - (b[k] + b[k + 2]) / 2 for k in (0, 1)]
    size = a[axis + 2] - a[axis] + b[axis + 2] - b[axis]
    rest = abs(offset[axis]) - 0.1 * size
    return offset[axis] * sign > 0 and rest > 0 and rest / math.hypot(*offset) > 0.5


def random_case(rng):
    names = ["dog", "cat", "bus"]
    detections, colors = {}, {}
    for name in names[: rng.integers(1, 4)]:
        k = int(rng.integers(0, 7))
        low = rng.integers(0, 24, (k, 2))
        high = low + rng.integers(1, 16, (k, 2))
        score = rng.choice([0.25, 0.5, 0.75, 0.9375, 0.96875], (k, 1))
        detections[name] = np.hstack([low, high, score])
        colors[name] = [COLORS[i] for i in rng.integers(0, 2, k)]
    include = []
    for index in range(rng.integers(1, 4)):
        clause = want(str(rng.choice(names)), int(rng.integers(1, 3)))
        if rng.random() < 0.3:
            clause["color"] = COLORS[rng.integers(0, 2)]
        if index and rng.random() < 0.6:
            clause["position"] = [POSITIONS[rng.integers(0, 4)], int(rng.integers(0, index))]
        include.append(clause)
    exclude = [want(str(rng.choice(names)), int(rng.integers(1, 5)))] if rng.random() < 0.3 else []
    tag = "counting" if rng.random() < 0.3 else "position"
    return task(*include, tag=tag, exclude=exclude), detections, colors


@pytest.mark.parametrize(("max_objects", "max_overlap"), [(16, 1.0), (3, 0.4)])
def test_random_images_are_judged_as_by_a_naive_evaluator(max_objects, max_overlap):
    rng, seen = np.random.default_rng(0), Counter()
    for _ in range(1500):
        metadata, detections, colors = random_case(rng)
        verdict = evaluate(
            metadata,
            detections,
            lambda name, indices, table=colors: [table[name][i] for i in indices],
            max_objects=max_objects,
            max_overlap=max_overlap,
        )
        expected = naive(metadata, detections, colors, max_objects, max_overlap)
        assert (verdict.correct, verdict.kept) == expected, (metadata, detections, colors)
        seen[verdict.correct] += 1
    assert min(seen[True], seen[False]) > 150  # both answers are well represented
