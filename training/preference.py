"""The reward's training: matched against corrupted, in captions and in images.

The number of mistakes c of every pair in a batch is known, so the raw score s is asked to be
SLOPE * (1/2 - c), in logits: absolutely (is this pair sound?), between captions of one image, and
between images of one caption, which is what guidance compares.

Three losses beside it teach what the comparison alone is slow to find, and are dropped after
training: the image tokens tell class, color and centre of the object in each cell; the words of an
object, its color's too, look at the object of their class; the words between two objects know
where either is (first its place, then the comparison: the comparison alone starts at a saddle).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.geneval.prompts import CLASSES, COLORS, plural
from bench.miniature import frozen, words
from bench.miniature.preference import DIM, SIDE, PreferenceNet
from training import ranking, spoil
from training.cells import NO_CLASS
from training.corruption import KINDS
from training.groups import IMAGES, Batch, batch
from training.loop import Losses, export, fit

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

SEED = 30_000
STEPS, GROUPS, LR = 5_000, 16, 1.5e-3
SLOPE = 3.0
DENSE, GAZE, PLACE = 1.0, 0.5, 3.0  # weights of the losses beside the matching
EMPTY_CELL = 0.1  # weight of cells without an object in the class loss, three in four
ROUND_TRIPS_FROM = 900  # the step from which a part of each batch passes the autoencoder


def gaze_loss(gaze: Tensor, targets: Tensor) -> Tensor:
    """Mean of -log of the attention (N, C, L, 65) that falls on the target cells (N, C, L, 64)."""
    mass = (gaze[..., : SIDE * SIDE].float() * targets).sum(-1)
    return -(mass[targets.any(-1)] + 1e-4).log().mean()


def place_loss(guess: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error where the labels are not NaN; 0 where all are."""
    known = ~labels.isnan()
    return (guess.float()[known] - labels[known]).square().sum() / known.sum().clamp_min(1)


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
    with torch.random.fork_rng(devices=[]):
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
        data = batch(step, vae, SEED, GROUPS)
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
    export(net, frozen.WEIGHTS / "preference.safetensors")
    frozen.load(net, frozen.WEIGHTS / "preference.safetensors")
    report = {"steps": STEPS, "images": STEPS * GROUPS * IMAGES, "held_out": 500}
    report |= evaluate(net, vae, 500, SEED + 3)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
