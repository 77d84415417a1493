"""How often a scorer of (image, caption) pairs ranks held-out pairs right."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from bench.geneval.prompts import Metadata
from training import scenes, spoil
from training.corruption import ALLOWED, KINDS, corrupt, mistakes

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

Score = Callable[[Tensor, list[str]], Tensor]  # images (B, 3, 64, 64), B captions -> (B,)
Report = dict[str, Any]
View = tuple[Tensor, list[str], list[str]]


def trials(kind: str, count: int, seed: int) -> list[tuple[Metadata, Metadata]]:
    """``count`` pairs of a random record and its corruption of ``kind``."""
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    pairs: list[tuple[Metadata, Metadata]] = []
    while len(pairs) < count:
        right = scenes.random_metadata(rng)
        if kind in ALLOWED[right["tag"]]:
            pairs.append((right, corrupt(right, rng, kind)))
    return pairs


def views(kind: str, vae: AutoencoderKL | None, count: int, seed: int) -> list[View]:
    """Trials drawn and, with ``vae``, the same after its round trip: images (2 * count, 3, 64, 64)
    of right and wrong records in turn, right captions, wrong captions."""
    pairs = trials(kind, count, seed)
    rng = np.random.default_rng((seed, KINDS.index(kind), 1))
    images = spoil.to_unit([scenes.render(r, rng).image for pair in pairs for r in pair])
    right, wrong = ([pair[i]["prompt"] for pair in pairs] for i in (0, 1))
    found = [(images, right, wrong)]
    if vae is not None:
        back = spoil.round_trip(vae, images, 0.0, torch.Generator().manual_seed(seed))
        found.append((back, right, wrong))
    return found


def accuracies(score: Score, vae: AutoencoderKL | None, count: int, seed: int) -> Report:
    """Shares of trials ranked right by kind of mistake: {"drawn"[, "round_trip"]: {kind: ...}}.

    ``caption``: one image, its caption against the corrupted one. ``image``: one caption, its
    image against that of the corrupted record. Chance is 1/2; a tie counts as wrong.
    """
    report: Report = {"drawn": {}, "round_trip": {}} if vae is not None else {"drawn": {}}
    for kind in KINDS:
        for name, (images, right, wrong) in zip(report, views(kind, vae, count, seed), strict=True):
            good = score(images[::2], right)
            report[name][kind] = {
                "caption": _share(good > score(images[::2], wrong)),
                "image": _share(good > score(images[1::2], right)),
            }
    return report


def ladders(score: Score, count: int, seed: int) -> Report:
    """Shares of scenes whose score falls, step by step, with growing badness under one caption.

    ``faint``: one object at 1, 2/3, 1/3 and 0 of its contrast. ``blur``: 0, 2 and 4 pixels.
    ``mistakes``: 0, 1 and 2 in the record that is drawn.
    """
    rng = np.random.default_rng((seed, len(KINDS)))
    faint: list[list[np.ndarray]] = []
    wrong: list[list[np.ndarray]] = []
    captions: list[str] = []
    while len(captions) < count:
        right = scenes.random_metadata(rng)
        once = corrupt(right, rng)
        twice = corrupt(once, rng)
        drawn = [scenes.render(r, rng) for r in (right, once, twice)]
        if [mistakes(right, s.objects) for s in drawn] != [0, 1, 2]:
            continue
        first = drawn[0]
        thing = first.objects[rng.integers(len(first.objects))]
        faint.append([spoil.fade(first.image, thing, v) for v in (1.0, 2 / 3, 1 / 3, 0.0)])
        wrong.append([s.image for s in drawn])
        captions.append(right["prompt"])
    sharp = spoil.to_unit([images[0] for images in wrong])
    rungs = {
        "faint": [spoil.to_unit(list(images)) for images in zip(*faint, strict=True)],
        "blur": [spoil.blur(sharp, torch.full((count,), sigma)) for sigma in (0.0, 2.0, 4.0)],
        "mistakes": [spoil.to_unit(list(images)) for images in zip(*wrong, strict=True)],
    }
    report = {}
    for name, images in rungs.items():
        scores = [score(rung, captions) for rung in images]
        report[name] = {
            "means": [round(float(s.mean()), 3) for s in scores],
            "falls": [_share(a > b) for a, b in pairwise(scores)],
        }
    return report


def flatten(report: Report, prefix: str = "") -> dict[str, float]:
    """Nested figures as one level, keys joined by dots; lists are left out."""
    flat: dict[str, float] = {}
    for key, value in report.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            flat[f"{prefix}{key}"] = float(value)
    return flat


def _share(yes: Tensor) -> float:
    return round(float(yes.float().mean()), 4)
