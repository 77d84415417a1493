"""What the second reward learns from: renderings of one caption, and annotators' votes on them.

The renderings are close relatives: as asked, with a mistake in it, between these two, and untidy.
Annotators compare every two of them. Each has weights of his own for alignment, tidiness and
harmony, is as noisy as Bradley and Terry (1952) say, and is wrong by accident now and then.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from bench.geneval.prompts import CLASSES, Metadata
from training import scenes, spoil
from training.corruption import ALLOWED, corrupt, mistakes
from training.distractors import blend, cut
from training.scenes import Placed

IMAGES = 4
PAIRS = torch.tensor(list(combinations(range(IMAGES), 2)))
VOTES, ACCIDENTS = 15, 0.05
HARD, HARD_SHARE = ("class", "color", "binding", "position"), 0.7
TINT = 25.0  # of the background


@dataclass(frozen=True)
class Rendering:
    """Pixels (64, 64, 3) uint8; what annotators weigh: mistakes, disorder, harmony."""

    image: np.ndarray
    wrong: float
    untidy: float
    harmony: float


def harmony(image: np.ndarray, objects: tuple[Placed, ...]) -> float:
    """How well figures stand out from their ground: the mean distance of their colors to it, 0 to
    about 1."""
    ground = np.median(image.reshape(-1, 3), axis=0)
    inks = np.array([scenes.RGB[o.color] for o in objects])
    return float(np.linalg.norm(inks - ground, axis=-1).mean() / 255)


def untidied(
    image: np.ndarray, objects: tuple[Placed, ...], asked: Metadata, rng: np.random.Generator
) -> tuple[np.ndarray, float, float]:
    """An image made untidy in one of eight ways; its mistakes, and how untidy it is (0 to 1)."""
    chosen = int(rng.integers(len(objects)))
    visible = float(rng.uniform())
    seen = [1.0] * len(objects)
    way = rng.integers(8)
    if way == 0:
        image, seen[chosen] = spoil.fade(image, objects[chosen], visible), visible
        return image, mistakes(asked, objects, seen), 2 * visible * (1 - visible)
    if way == 1:
        side = int(rng.integers(4))
        image, seen[chosen] = spoil.cut(image, objects[chosen], visible, side), visible
        return image, mistakes(asked, objects, seen), 1 - visible
    if way == 2:  # out of the picture: the whole scene is moved towards an edge
        x0, _, x1, _ = objects[chosen].box
        gone = round(visible * (x1 - x0))
        ground = np.median(image.reshape(-1, 3), axis=0)
        moved = np.empty_like(image)
        moved[:] = ground
        if (shift := x0 + gone) < scenes.SIZE - 1:
            moved[:, : scenes.SIZE - shift] = image[:, shift:]
        width = [max(0, o.box[2] - max(o.box[0], shift)) / (o.box[2] - o.box[0]) for o in objects]
        return moved, mistakes(asked, objects, width), 1 - min(width)
    if way == 3:
        sigma = float(rng.uniform(1, 4))
        blurred = spoil.blur(spoil.to_unit([image]), torch.tensor([sigma]))[0]
        image = (blurred.permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
        return image, mistakes(asked, objects), spoil.blur_cost(sigma)
    if way in (4, 5):  # blots on a figure, or a part of it in another color
        share = 0.5 * visible if way == 4 else visible
        return (
            blotted(image, objects[chosen], share, way == 5, rng),
            mistakes(asked, objects),
            share,
        )
    # Something too many: a ghost, half a glyph or a mixture of two, or a whole one.
    size = int(rng.choice([16, 20, 24]))
    x, y = (int(v) for v in rng.integers(0, scenes.SIZE - size + 1, 2))
    form = rng.integers(3)
    if form == 0:
        cover = scenes.glyph(CLASSES[rng.integers(len(CLASSES))], size)
    else:
        cover = cut(rng, size) if form == 1 else blend(rng, size)
    ink = np.array(list(scenes.RGB.values()))[rng.integers(len(scenes.RGB))]
    strength = visible if way == 6 else 1.0
    out = image.astype(np.float32)
    patch = out[y : y + size, x : x + size]
    patch += strength * cover[..., None] * (ink - patch)
    surplus = strength if form == 0 else 0.0
    return out.round().astype(np.uint8), mistakes(asked, objects) + surplus, strength


def blotted(
    image: np.ndarray, thing: Placed, share: float, smooth: bool, rng: np.random.Generator
) -> np.ndarray:
    """``image`` with about ``share`` of one object under a random ink: one side of the figure, or
    (not ``smooth``) blots of 2 to 4 pixels on figure and ground alike."""
    out = image.copy()
    x0, y0, x1, y1 = thing.box
    ground = np.median(image.reshape(-1, 3), axis=0)
    inks = [*scenes.RGB.values(), tuple(ground)]
    ink = np.array(inks[rng.integers(len(inks))])
    patch = out[y0:y1, x0:x1]
    if smooth:
        angle = rng.uniform(0, 2 * np.pi)
        y, x = np.indices(patch.shape[:2])
        along = x * np.cos(angle) + y * np.sin(angle)
        figure = np.abs(patch - ground).max(-1) > 24
        patch[figure & (along <= np.quantile(along, share))] = ink
        return out
    covered = 0
    while covered < share * patch.shape[0] * patch.shape[1] / 2:
        size = int(rng.integers(2, 5))
        top, left = (int(rng.integers(max(1, side - size))) for side in patch.shape[:2])
        patch[top : top + size, left : left + size] = ink
        covered += size * size
    return out


def renderings(rng: np.random.Generator) -> tuple[str, list[Rendering]]:
    """A caption and its four renderings: as asked, mistaken, between the two, untidy."""
    kind = str(rng.choice(HARD)) if rng.random() < HARD_SHARE else None
    asked = scenes.random_metadata(rng)
    while kind is not None and kind not in ALLOWED[asked["tag"]]:
        asked = scenes.random_metadata(rng)
    other = corrupt(asked, rng, kind)
    if rng.random() < 0.25:
        other = corrupt(other, rng)
    seed = int(rng.integers(2**62))  # one layout, where both records allow it
    tint = rng.uniform(-TINT, TINT, 3) if rng.random() < 0.3 else np.zeros(3)

    def draw(record: Metadata) -> scenes.Scene:
        scene = scenes.render(record, np.random.default_rng(seed))
        ground = np.median(scene.image.reshape(-1, 3), axis=0)
        empty = np.abs(scene.image - ground).max(-1, keepdims=True) < 1
        image = np.where(empty, (ground + tint).clip(0, 255), scene.image)
        return scenes.Scene(image.round().astype(np.uint8), scene.objects, record)

    right, wrong = draw(asked), draw(other)
    costs = [mistakes(asked, s.objects) for s in (right, wrong)]
    looks = [harmony(s.image, s.objects) for s in (right, wrong)]
    share = float(rng.uniform(0.1, 0.9))
    between = (1 - share) * right.image + share * wrong.image.astype(np.float32)
    third = right if rng.random() < 0.6 else wrong
    image, cost, untidy = untidied(third.image, third.objects, asked, rng)
    return asked["prompt"], [
        Rendering(right.image, costs[0], 0.0, looks[0]),
        Rendering(wrong.image, costs[1], 0.0, looks[1]),
        Rendering(
            between.round().astype(np.uint8),
            (1 - share) * costs[0] + share * costs[1],
            2 * share * (1 - share),
            (1 - share) * looks[0] + share * looks[1],
        ),
        Rendering(image, cost, untidy, harmony(third.image, third.objects)),
    ]


def votes(groups: list[list[Rendering]], rng: np.random.Generator) -> np.ndarray:
    """(G, 6): of every two renderings of a group, the share of votes for the first."""
    traits = np.array([[(r.wrong, r.untidy, r.harmony) for r in g] for g in groups])
    gaps = traits[:, PAIRS[:, 0]] - traits[:, PAIRS[:, 1]]
    weights = rng.uniform((-4, -3, 0), (-2, -1, 0.5), (VOTES, len(groups), 1, 3))
    chance = 1 / (1 + np.exp(-(weights * gaps).sum(-1)))
    chance = ACCIDENTS / 2 + (1 - ACCIDENTS) * chance
    return (rng.random(chance.shape) < chance).mean(0)
