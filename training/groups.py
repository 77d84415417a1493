"""The reward's training data: groups of records, each drawn, every pair's mistakes counted.

A group has four records, one with a mistake in it more than the other: a random one, two single
corruptions of it and a double one (or an unrelated record). A fifth image is the first record's,
spoilt. All 5 x 4 pairs of image and caption are scored in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench.geneval.prompts import CLASSES, Metadata
from bench.miniature import words
from training import scenes, spoil
from training.cells import NO_CLASS, SIDE, cells
from training.corruption import ALLOWED, MOST, corrupt, mistakes
from training.scenes import Placed

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

CAPTIONS, IMAGES = 4, 5
HARD, HARD_SHARE = ("binding", "position", "position"), 0.6  # what takes longest to learn
ROUND_TRIP_SHARE = 0.1875


@dataclass(frozen=True)
class Group:
    """Five images (64, 64, 3), their objects, four records, the pairs' costs (5, 4) and the
    blur (pixels) of the last image."""

    images: list[np.ndarray]
    objects: list[tuple[Placed, ...]]
    records: list[Metadata]
    costs: np.ndarray
    blur: float


def group(rng: np.random.Generator) -> Group:
    kind = str(rng.choice(HARD)) if rng.random() < HARD_SHARE else None
    first = scenes.random_metadata(rng)
    while kind is not None and kind not in ALLOWED[first["tag"]]:
        first = scenes.random_metadata(rng)
    second, third = corrupt(first, rng, kind), corrupt(first, rng)
    fourth = scenes.random_metadata(rng) if rng.random() < 0.3 else corrupt(second, rng)
    records = [first, second, third, fourth]
    drawn = [scenes.render(r, rng) for r in records]
    image, objects, seen, extra, sigma = spoilt(first, rng)
    costs = [[mistakes(r, s.objects) for r in records] for s in drawn]
    costs.append([mistakes(r, objects, seen) + extra for r in records])
    return Group(
        images=[*(s.image for s in drawn), image],
        objects=[*(s.objects for s in drawn), objects],
        records=records,
        costs=np.array(costs, dtype=np.float32),
        blur=sigma,
    )


def spoilt(
    metadata: Metadata, rng: np.random.Generator
) -> tuple[np.ndarray, tuple[Placed, ...], list[float], float, float]:
    """A scene of ``metadata`` made worse: image, objects, their visibility, the cost of what
    visibility does not express, and the blur (pixels) still to be applied."""
    way = rng.integers(6)
    scene = scenes.render(metadata, rng)
    image, objects, seen = scene.image, scene.objects, [1.0] * len(scene.objects)
    chosen, visible = int(rng.integers(len(objects))), float(rng.uniform())
    if way == 0:
        image, seen[chosen] = spoil.fade(image, objects[chosen], visible), visible
    elif way == 1:
        for thing in objects:
            image = spoil.fade(image, thing, visible)
        seen = [visible] * len(objects)
    elif way == 2:
        side = int(rng.integers(4))
        image, seen[chosen] = spoil.cut(image, objects[chosen], visible, side), visible
    elif way == 3:
        sigma = float(rng.uniform(0.5, 4))
        return image, objects, seen, spoil.blur_cost(sigma), sigma
    elif way == 4:
        share = float(rng.uniform(0.1, 0.5))
        other = scenes.render(metadata, rng).image
        image = ((1 - share) * image + share * other.astype(np.float32)).round().astype(np.uint8)
        return image, objects, seen, share, 0.0
    elif len(objects) < MOST:
        stray = {"class": CLASSES[rng.integers(len(CLASSES))], "count": 1}
        scene = scenes.render(metadata | {"include": [*metadata["include"], stray]}, rng)
        return scene.image, scene.objects, [1.0] * len(scene.objects), 0.0, 0.0
    return image, objects, seen, 0.0, 0.0


@dataclass(frozen=True)
class Batch:
    """Images (G * 5, 3, 64, 64) in [0, 1]; word ids (G * 5, 4, L); costs (G, 5, 4); what each
    image cell shows, (G * 5, 64) class and color ids (one past the last: nothing) and whether an
    object's centre lies there; where each word should look, (G * 5, 4, L, 64); at the words of a
    relation where its objects are, else NaN, (G * 5, 4, L, 4)."""

    images: Tensor
    ids: Tensor
    costs: Tensor
    names: Tensor
    colors: Tensor
    centers: Tensor
    targets: Tensor
    places: Tensor


def batch(step: int, vae: AutoencoderKL | None, seed: int, groups: int) -> Batch:
    """The batch keyed by (seed, step); with ``vae`` its first groups are round-tripped."""
    rng = np.random.default_rng((seed, step))
    generator = torch.Generator().manual_seed(seed * 1_000_000 + step)
    drawn = [group(rng) for _ in range(groups)]
    images = spoil.to_unit([image for g in drawn for image in g.images])
    harmless = torch.rand(groups, IMAGES, generator=generator) * spoil.HARMLESS_BLUR
    harmless *= torch.rand(groups, 1, generator=generator) < 0.5
    sigmas = harmless.flatten()
    sigmas[IMAGES - 1 :: IMAGES] += torch.tensor([g.blur for g in drawn])
    images = spoil.blur(images, sigmas)
    if vae is not None:
        count = int(ROUND_TRIP_SHARE * groups) * IMAGES
        noise = (0.4 * torch.rand(count, 1, 1, 1, generator=generator) - 0.2).clamp_min(0)
        images[:count] = spoil.round_trip(vae, images[:count], noise, generator)
    grain = (0.12 * torch.rand(groups, 1, 1, 1, 1, generator=generator) - 0.06).clamp_min(0)
    shape = (groups, IMAGES, *images.shape[1:])
    images = images + (grain * torch.randn(shape, generator=generator)).flatten(0, 1)
    ids = torch.tensor(words.encode_padded([r["prompt"] for g in drawn for r in g.records]))
    ids = ids.view(groups, 1, CAPTIONS, -1).expand(-1, IMAGES, -1, -1).flatten(0, 1)
    labels = [cells(objects) for g in drawn for objects in g.objects]
    names, colors, centers = (
        torch.from_numpy(np.stack(kind)) for kind in zip(*labels, strict=True)
    )
    costs = torch.from_numpy(np.stack([g.costs for g in drawn]))
    targets = gaze_targets(drawn, ids.shape[-1])
    places = place_labels(drawn, ids.shape[-1])
    return Batch(images.clamp(0, 1), ids, costs, names, colors, centers, targets, places)


def spans(record: Metadata) -> list[tuple[str, int, int]]:
    """(class, first word, past its last word) of a caption's single objects, colors included."""
    caption = record["prompt"].split()
    found = []
    for clause in record["include"]:
        phrase = [*clause.get("color", "").split(), *clause["class"].split()]
        starts = range(len(caption) - len(phrase) + 1)
        at = next((i for i in starts if caption[i : i + len(phrase)] == phrase), None)
        if at is not None:
            found.append((clause["class"], at, at + len(phrase)))
    return found


def gaze_targets(drawn: list[Group], length: int) -> Tensor:
    """Cells that each caption word should look at, (G * 5, 4, length, 64) of 0 and 1: those of
    the one object of its noun's class, whatever its color. No cells: nothing is asked."""
    targets = np.zeros((len(drawn), IMAGES, CAPTIONS, length, SIDE * SIDE), dtype=bool)
    for g, one in enumerate(drawn):
        for i, objects in enumerate(one.objects):
            classes = [o.name for o in objects]
            shown = {o.name: cells([o])[0] for o in objects if classes.count(o.name) == 1}
            for c, wish in enumerate(one.records):
                for name, start, stop in spans(wish):
                    if name in shown:
                        targets[g, i, c, start:stop] = shown[name] != NO_CLASS
    return torch.from_numpy(targets).flatten(0, 1)


def place_labels(drawn: list[Group], length: int) -> Tensor:
    """(G * 5, 4, length, 4): at the words of a caption's relation the centres x, y of its first
    and of its second object, in [-1, 1]; NaN elsewhere, and where either is missing or not the
    only one of its class."""
    labels = np.full((len(drawn), IMAGES, CAPTIONS, length, 4), np.nan, dtype=np.float32)
    for g, one in enumerate(drawn):
        for c, wish in enumerate(one.records):
            if wish["tag"] != "position":
                continue
            (second, start, _), (first, _, after) = spans(wish)
            for i, objects in enumerate(one.objects):
                found = [[o.box for o in objects if o.name == name] for name in (first, second)]
                if [len(boxes) for boxes in found] == [1, 1]:
                    x0, y0, x1, y1 = np.array(found)[:, 0].T
                    centers = np.stack([x0 + x1, y0 + y1], axis=-1) / scenes.SIZE - 1
                    labels[g, i, c, after : start - 1] = centers.ravel()
    return torch.from_numpy(labels).flatten(0, 1)
