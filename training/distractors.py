"""The judge's training scenes: whole glyphs beside things that must not count as objects.

A diffusion model's samples fail in the middle ground: half a glyph, two glyphs in one place, a
smear of ink. Here these are drawn on purpose and left without a label. Scenes also go beyond the
captions' world, so that the judge can count what should not be there: up to six objects, sizes
mixed, positions free of the latent grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.geneval.prompts import CLASSES, COLORS
from training import scenes

PLAIN_SHARE = 0.4  # scenes exactly as the captions have them
KINDS = {"whole": 0.58, "cut": 0.14, "blend": 0.14, "blob": 0.07, "motley": 0.07}
COUNTS = (0.03, 0.17, 0.25, 0.2, 0.17, 0.1, 0.08)  # of 0, 1, ... 6 things
SAME_CLASS = 0.35
NICK = 0.2  # share of whole glyphs that lose up to 6% of their ink
NO_COLOR = -1


@dataclass(frozen=True)
class Labelled:
    """Images (N, 64, 64, 3) uint8 and labels (M, 7) float32.

    A label is scene index, class, colour (-1: none to learn), x0, y0, x1, y1 in pixels; labels
    are ordered by scene.
    """

    images: np.ndarray
    labels: np.ndarray

    def take(self, indices: np.ndarray) -> Labelled:
        """The scenes at ``indices``, renumbered."""
        first = np.searchsorted(self.labels[:, 0], indices, side="left")
        last = np.searchsorted(self.labels[:, 0], indices, side="right")
        rows = [self.labels[a:b].copy() for a, b in zip(first, last, strict=True)]
        for new, row in enumerate(rows):
            row[:, 0] = new
        return Labelled(self.images[indices], np.concatenate(rows))

    def __add__(self, other: Labelled) -> Labelled:
        moved = other.labels.copy()
        moved[:, 0] += len(self.images)
        return Labelled(
            np.concatenate([self.images, other.images]), np.concatenate([self.labels, moved])
        )


def _side(rng: np.random.Generator, cover: np.ndarray, kept: float) -> np.ndarray:
    """A half-plane (bool, like ``cover``) at a random angle holding the share ``kept`` of ink."""
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.indices(cover.shape)
    along = x * np.cos(angle) + y * np.sin(angle)
    inked = cover > 0.3
    return along <= np.quantile(along[inked], kept)


def cut(rng: np.random.Generator, size: int) -> np.ndarray:
    """Coverage of a random glyph with a third to two thirds of its ink gone."""
    cover = scenes.glyph(_name(rng), size)
    return cover * _side(rng, cover, rng.uniform(0.33, 0.67))


def blend(rng: np.random.Generator, size: int) -> np.ndarray:
    """Coverage of two classes in one place (mixed, joined at a line, or one over the other).

    Drawn again until it is at least a quarter of its ink away from either class alone.
    """
    while True:
        a, b = (scenes.glyph(_name(rng), size) for _ in range(2))
        way = rng.integers(3)
        if way == 0:
            share = rng.uniform(0.35, 0.65)
            both = share * a + (1 - share) * b
        elif way == 1:
            both = np.where(_side(rng, a, rng.uniform(0.4, 0.6)), a, b)
        else:
            both = np.maximum(a, b)
        if all(np.abs(both - g).sum() > 0.25 * g.sum() for g in (a, b)):
            return both


def blob(rng: np.random.Generator, size: int) -> np.ndarray:
    """Coverage of smooth random shapes: one to three discs and strokes."""
    y, x = np.indices((size, size)) / (size - 1)
    cover = np.zeros((size, size))
    for _ in range(rng.integers(1, 4)):
        (ax, ay), (bx, by) = rng.uniform(0.15, 0.85, (2, 2))
        if rng.random() < 0.4:
            bx, by = ax, ay
        length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-6)
        t = np.clip(((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length, 0, 1)
        away = np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay))
        cover = np.maximum(cover, np.clip((rng.uniform(0.05, 0.2) - away) * size, 0, 1))
    return cover


def _name(rng: np.random.Generator) -> str:
    return CLASSES[rng.integers(len(CLASSES))]


def _ink(rng: np.random.Generator, color: int) -> np.ndarray:
    return np.array(scenes.RGB[COLORS[color]]) + rng.uniform(
        -scenes.COLOR_JITTER, scenes.COLOR_JITTER, 3
    )


def _places(rng: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    """Up to ``count`` corners and sizes (x, y, size) that overlap by 15% of a size at most."""
    base = int(rng.choice([20, 20, 24, 32] if count < 4 else [20]))
    taken: list[tuple[int, int, int]] = []
    for _ in range(12 * count):
        size = int(np.clip(base + rng.integers(-1, 2), 19, 33))
        x, y = (int(v) for v in rng.integers(0, scenes.SIZE - size + 1, 2))
        if all(max(abs(x - u), abs(y - v)) > 0.85 * (size + s) / 2 for u, v, s in taken):
            taken.append((x, y, size))
        if len(taken) == count:
            break
    return taken


def compose(rng: np.random.Generator) -> tuple[np.ndarray, list[tuple[float, ...]]]:
    """One scene of whole glyphs and distractors: pixels (64, 64, 3) uint8 and label rows."""
    base = scenes.BACKGROUND + rng.uniform(-1, 1, 3) * scenes.BACKGROUND_JITTER
    image = np.broadcast_to(base, (scenes.SIZE, scenes.SIZE, 3)).astype(np.float32)
    labels: list[tuple[float, ...]] = []
    shared = _name(rng) if rng.random() < SAME_CLASS else None
    for x, y, size in _places(rng, int(rng.choice(len(COUNTS), p=COUNTS))):
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        color = int(rng.integers(len(COLORS)))
        ink = np.broadcast_to(_ink(rng, color), (size, size, 3))
        if kind in ("whole", "motley"):
            name = shared or _name(rng)
            cover = scenes.glyph(name, size)
            ys, xs = np.nonzero(cover > 0.3)
            if kind == "motley":
                second = _ink(rng, int(rng.integers(len(COLORS))))
                ink = np.where(_side(rng, cover, rng.uniform(0.3, 0.7))[..., None], ink, second)
                color = NO_COLOR
            if rng.random() < NICK:
                cover = cover * _side(rng, cover, rng.uniform(0.94, 1))
            box = (x + xs.min(), y + ys.min(), x + xs.max() + 1, y + ys.max() + 1)
            labels.append((CLASSES.index(name), color, *box))
        else:
            cover = {"cut": cut, "blend": blend, "blob": blob}[kind](rng, size)
        patch = image[y : y + size, x : x + size]
        patch += cover[..., None] * (ink - patch)
    return image.clip(0, 255).round().astype(np.uint8), labels


def plain(scene: scenes.Scene) -> tuple[np.ndarray, list[tuple[float, ...]]]:
    """A caption's scene in the same form."""
    return scene.image, [
        (CLASSES.index(o.name), COLORS.index(o.color), *o.box) for o in scene.objects
    ]


def labelled(rng: np.random.Generator, count: int) -> Labelled:
    """``count`` scenes: the share PLAIN_SHARE as captions have them, the others composed."""
    drawn = [
        plain(scenes.batch(rng, 1)[0]) if rng.random() < PLAIN_SHARE else compose(rng)
        for _ in range(count)
    ]
    rows = [(i, *label) for i, (_, labels) in enumerate(drawn) for label in labels]
    return Labelled(
        np.stack([image for image, _ in drawn]),
        np.array(rows, dtype=np.float32).reshape(-1, 7),
    )
