"""Wrong records: GenEval records with a mistake put in, and the count of mistakes in a scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np

from bench.geneval.prompts import (
    CLASSES,
    COLORS,
    NUMBERS,
    POSITIONS,
    Metadata,
    plural,
    with_article,
)
from training.scenes import Placed, wanted_objects

KINDS = ("class", "color", "binding", "count", "position")
MOST = 4  # objects that a scene has room for
MIRRORED = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def record(include: list[Metadata]) -> Metadata:
    """The record, with caption and tag, that ``include`` clauses of GenEval's grammar stand for."""
    nouns = [f"{c['color']} {c['class']}" if "color" in c else c["class"] for c in include]
    first = include[0]
    if first["count"] > 1:
        tag, what = "counting", f"{NUMBERS[first['count']]} {plural(first['class'])}"
    elif len(include) == 1:
        tag, what = "colors" if "color" in first else "single_object", with_article(nouns[0])
    elif "position" in include[1]:
        where = include[1]["position"][0]
        tag, what = "position", f"{with_article(nouns[1])} {where} {with_article(nouns[0])}"
    else:
        tag = "color_attr" if "color" in first else "two_object"
        what = " and ".join(map(with_article, nouns))
    return {"tag": tag, "include": include, "prompt": f"a photo of {what}"}


def _other(rng: np.random.Generator, options: Sequence[str], *taken: str) -> str:
    left = [o for o in options if o not in taken]
    return left[rng.integers(len(left))]


def _swap_class(include: list[Metadata], rng: np.random.Generator) -> None:
    clause = include[rng.integers(len(include))]
    clause["class"] = _other(rng, CLASSES[1:], *(c["class"] for c in include))


def _swap_color(include: list[Metadata], rng: np.random.Generator) -> None:
    clause = include[rng.integers(len(include))]
    clause["color"] = _other(rng, COLORS, *(c["color"] for c in include))


def _exchange_colors(include: list[Metadata], rng: np.random.Generator) -> None:
    a, b = include
    a["color"], b["color"] = b["color"], a["color"]


def _change_count(include: list[Metadata], rng: np.random.Generator) -> None:
    if len(include) == 2:
        del include[rng.integers(2)]
        return
    count = include[0]["count"]
    step = 1 if count == 1 else -1 if count == MOST else rng.choice((-1, 1))
    include[0]["count"] = int(count + step)


def _change_position(include: list[Metadata], rng: np.random.Generator) -> None:
    clause = include[1]
    where = clause["position"][0]
    choice = rng.integers(3)
    if choice == 0:  # the objects change roles
        include[0]["class"], clause["class"] = clause["class"], include[0]["class"]
    else:
        new = MIRRORED[where] if choice == 1 else _other(rng, POSITIONS, where, MIRRORED[where])
        clause["position"] = [new, 0]


EDITS: dict[str, Callable[[list[Metadata], np.random.Generator], None]] = {
    "class": _swap_class,
    "color": _swap_color,
    "binding": _exchange_colors,
    "count": _change_count,
    "position": _change_position,
}
ALLOWED = {
    "single_object": ("class", "count"),
    "two_object": ("class", "count"),
    "counting": ("class", "count", "count"),
    "colors": ("class", "color"),
    "position": ("class", "position", "position"),
    "color_attr": ("class", "color", "binding", "binding"),
}


def corrupt(metadata: Metadata, rng: np.random.Generator, kind: str | None = None) -> Metadata:
    """A record with one mistake put in, of ``kind`` or of a random kind that the record allows."""
    allowed = ALLOWED[metadata["tag"]]
    if kind is not None and kind not in allowed:
        raise ValueError(f"a {metadata['tag']} record has no {kind!r} mistake, only {allowed}")
    include = [dict(clause) for clause in metadata["include"]]
    EDITS[kind or allowed[rng.integers(len(allowed))]](include, rng)
    return record(include)


def mistakes(
    metadata: Metadata, objects: Sequence[Placed], seen: Sequence[float] | None = None
) -> float:
    """Mistakes of a scene against a record, under the kindest pairing of objects.

    One each for a wrong class, a wrong colour, a missing or surplus object and a wrong relation.
    ``seen`` gives each object's visibility in [0, 1]; one of visibility v counts v as drawn and
    1 - v as missing.
    """
    wanted = wanted_objects(metadata)
    relation = next((c["position"][0] for c in metadata["include"] if "position" in c), None)
    seen = seen or [1.0] * len(objects)
    size = max(len(wanted), len(objects))
    cost = [[1.0] * size for _ in range(size)]  # wish i met by object j; past the ends: nothing
    for j, (thing, v) in enumerate(zip(objects, seen, strict=True)):
        for i in range(size):
            cost[i][j] = v * _wrong(wanted[i], thing) + 1 - v if i < len(wanted) else v
    if len(set(wanted)) == 1:  # equal wishes: the objects that gain most by meeting one
        surplus = cost[-1] if size > len(wanted) else [0.0] * size
        gains = sorted(a - b for a, b in zip(cost[0], surplus, strict=True))
        return sum(surplus) + sum(gains[: len(wanted)])
    totals = []
    for pairing in permutations(range(size)):
        total = sum(cost[i][j] for i, j in enumerate(pairing))
        if relation is not None and max(pairing[:2]) < len(objects):
            total += not holds(relation, objects[pairing[1]], objects[pairing[0]])
        totals.append(total)
    return min(totals)


def _wrong(wish: tuple[str, str | None], thing: Placed) -> int:
    name, color = wish
    return (name != thing.name) + (color is not None and color != thing.color)


def holds(relation: str, thing: Placed, anchor: Placed) -> bool:
    """Whether ``thing`` stands in ``relation`` to ``anchor``, by the larger offset of centres."""
    (ax, ay), (bx, by) = (
        ((o.box[0] + o.box[2]) / 2, (o.box[1] + o.box[3]) / 2) for o in (thing, anchor)
    )
    dx, dy = ax - bx, ay - by
    if abs(dx) > abs(dy):
        return relation == ("left of" if dx < 0 else "right of")
    return relation == ("above" if dy < 0 else "below")
