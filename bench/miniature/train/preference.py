"""The reward's training: matched against corrupted, in captions and in images.

Data come in groups of four records, one with a mistake in it more than the other: a random one,
two single corruptions of it and a double one (or an unrelated record). Each record is drawn; a
fifth image is the first record's, spoilt. All 5 x 4 pairs of a group are scored, and the number of
mistakes c of each is known, so the raw score s is asked to be SLOPE * (1/2 - c), in logits:
absolutely (is this pair sound?), between captions of one image, and between images of one caption,
which is what guidance compares. A dense loss on the image tokens (class, colour, centre of the
object in each cell) teaches the convolutions what to look for; a gaze loss teaches the words of an
object, its color's too, to look at the object of their class; a place loss, the words between two
objects to know where either is. These three are dropped after training.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.geneval.prompts import CLASSES, COLORS, Metadata, plural
from bench.miniature import frozen, scenes, words
from bench.miniature.preference import DIM, SIDE, PreferenceNet
from bench.miniature.scenes import Placed
from bench.miniature.train import ranking, spoil
from bench.miniature.train.cells import NO_CLASS, cells
from bench.miniature.train.corruption import ALLOWED, KINDS, MOST, corrupt, mistakes
from bench.miniature.train.loop import Losses, fit

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

SEED = 30_000
STEPS, GROUPS, LR = 5_000, 16, 1.5e-3
CAPTIONS, IMAGES = 4, 5
HARD, HARD_SHARE = ("binding", "position", "position"), 0.6  # what takes longest to learn
SLOPE = 3.0
DENSE = 1.0
GAZE = 0.5
PLACE = 3.0
EMPTY_CELL = 0.1  # weight of cells without an object in the class loss, three in four
ROUND_TRIPS_FROM = 900  # the step from which a part of each batch passes the autoencoder
ROUND_TRIP_GROUPS = 3


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


def batch(step: int, vae: AutoencoderKL | None, seed: int = SEED, groups: int = GROUPS) -> Batch:
    """The training batch of a step; with ``vae`` its first groups are round-tripped."""
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
        count = ROUND_TRIP_GROUPS * IMAGES
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


def place_loss(guess: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error where the labels are not NaN; 0 where all are."""
    known = ~labels.isnan()
    return (guess.float()[known] - labels[known]).square().sum() / known.sum().clamp_min(1)


def gaze_loss(gaze: Tensor, targets: Tensor) -> Tensor:
    """Mean of -log of the attention (N, C, L, 65) that falls on the target cells (N, C, L, 64)."""
    mass = (gaze[..., : SIDE * SIDE].float() * targets).sum(-1)
    return -(mass[targets.any(-1)] + 1e-4).log().mean()


def matching_loss(scores: Tensor, costs: Tensor) -> Tensor:
    """Logistic losses of raw scores (G, I, C) against SLOPE * (1/2 - cost): of each pair by
    itself, between captions of one image, between images of one caption."""
    target = SLOPE * (0.5 - costs)
    weight = 1 + (costs < 0.5)
    absolute = F.binary_cross_entropy_with_logits(scores, target.sigmoid(), weight)
    ranks = absolute.new_zeros(())
    for dim in (1, 2):
        gap = (target.unsqueeze(dim) - target.unsqueeze(dim + 1)).flatten()
        margin = (scores.unsqueeze(dim) - scores.unsqueeze(dim + 1)).flatten()
        told = gap > 0.05
        ranks = ranks + F.binary_cross_entropy_with_logits(margin[told], gap[told].sigmoid())
    return absolute + ranks


class Dense(nn.Module):
    """Reads class, color and centre off each image token; classes and colors are compared with
    the embeddings of their own words, which so come to mean what the tokens show."""

    singular: Tensor
    plural: Tensor
    shade: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.name, self.color = nn.Linear(DIM, DIM), nn.Linear(DIM, DIM)
        self.center = nn.Linear(DIM, 1)
        self.no_name = nn.Parameter(torch.zeros(1, DIM))
        self.no_color = nn.Parameter(torch.zeros(1, DIM))
        forms = (CLASSES, [plural(c) for c in CLASSES], COLORS)
        for key, form in zip(("singular", "plural", "shade"), forms, strict=True):
            rows = torch.tensor(words.encode_padded(list(form)))
            self.register_buffer(key, rows, persistent=False)
        self.places = nn.Linear(DIM, 4)

    def forward(self, tokens: Tensor, embed: nn.Embedding, data: Batch) -> Tensor:
        def phrases(rows: Tensor, nothing: Tensor) -> Tensor:
            there = (rows > 0).unsqueeze(-1)
            return torch.cat([(embed(rows) * there).sum(1) / there.sum(1), nothing])

        name, color = self.name(tokens), self.color(tokens)
        rarity = torch.ones(NO_CLASS + 1)
        rarity[NO_CLASS] = EMPTY_CELL
        loss = F.binary_cross_entropy_with_logits(
            self.center(tokens).squeeze(-1).float(), data.centers
        )
        for rows in (self.singular, self.plural):
            logits = (name @ phrases(rows, self.no_name).T).float().flatten(0, 1)
            loss = loss + F.cross_entropy(logits, data.names.flatten(), rarity) / 2
        logits = (color @ phrases(self.shade, self.no_color).T).float()
        return loss + F.cross_entropy(logits.flatten(0, 1), data.colors.flatten())


def build() -> tuple[PreferenceNet, Dense]:
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        return PreferenceNet(), Dense()


def scorer(net: PreferenceNet) -> ranking.Score:
    """``net`` as a function of images (B, 3, 64, 64) and B captions."""

    @torch.no_grad()
    def score(images: Tensor, captions: list[str]) -> Tensor:
        ids = torch.tensor(words.encode_padded(captions))[:, None]
        return net(images, ids).squeeze(1)

    return score


def standardize(net: PreferenceNet, vae: AutoencoderKL, count: int = 150) -> None:
    """Set ``net``'s mean and std from held-out pairs: half matched, half corrupted, each with its
    drawing and its round trip."""
    net.mean.zero_(), net.std.fill_(1)
    score, scores = scorer(net), []
    for kind in KINDS:
        for images, right, wrong in ranking.views(kind, vae, count, SEED + 2):
            scores += [score(images[::2], right), score(images[::2], wrong)]
    net.mean.copy_(torch.cat(scores).mean())
    net.std.copy_(torch.cat(scores).std())


def evaluate(
    net: PreferenceNet, vae: AutoencoderKL | None, count: int, seed: int
) -> ranking.Report:
    """Held-out ranking accuracies on drawings and, with ``vae``, after its round trip; and how
    the score falls with growing badness."""
    score = scorer(net.eval())
    report = ranking.accuracies(score, vae, count, seed)
    report["ladders"] = ranking.ladders(score, count, seed)
    net.train()
    return report


def train(folder: Path, vae_folder: Path) -> None:
    """Train or resume in ``folder``; export the weights; write ``folder/report.json``.

    ``vae_folder`` holds the trained autoencoder; it is read at step ROUND_TRIPS_FROM.
    """
    net, dense = build()

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        vae = spoil.load_vae(vae_folder) if step >= ROUND_TRIPS_FROM else None
        data = batch(step, vae)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = net.look(data.images.contiguous(memory_format=torch.channels_last))
            read = net.compare(tokens, data.ids)
            seen = dense(tokens[:, : SIDE * SIDE], net.embed, data)
            guess = dense.places(read.states)
        matching = matching_loss(read.scores.view_as(data.costs), data.costs)
        looked = gaze_loss(read.gaze, data.targets)
        placed = place_loss(guess, data.places)
        parts = {"matching": matching, "dense": seen, "gaze": looked, "place": placed}
        loss = matching + DENSE * seen + GAZE * looked + PLACE * placed
        return loss, {key: part.item() for key, part in parts.items()}

    def check(step: int) -> Losses:
        return ranking.flatten(evaluate(net, None, 100, SEED + 1))

    fit(
        "preference",
        folder,
        [net, dense],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=GROUPS * IMAGES,
        every=100,
        evaluate=check,
        evaluate_every=500,
    )
    vae = spoil.load_vae(vae_folder)
    standardize(net, vae)
    frozen.export(net, frozen.WEIGHTS / "preference.safetensors")
    frozen.load(net, frozen.WEIGHTS / "preference.safetensors")
    report = {"steps": STEPS, "images": STEPS * GROUPS * IMAGES, "held_out": 500}
    report |= evaluate(net, vae, 500, SEED + 3)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
