"""The contrastive judge's training: InfoNCE with hard negatives in both directions.

A batch holds 64 pairs of a record and its corruption, both drawn and captioned, and two more
wrong captions a pair: 128 images choose among 256 captions, 128 captions among 128 images. A
dense loss on the image tokens (class and color of the object in each cell, linear read-out) starts
the convolutions; it is dropped after training. Seeds and weights are apart from the reward's.
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

from bench.miniature import frozen, words
from bench.miniature.clip import WIDTH, ClipNet
from training import ranking, scenes, spoil
from training.cells import NO_CLASS, NO_COLOR, cells
from training.corruption import corrupt
from training.loop import Losses, export, fit

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

SEED = 40_000
STEPS, PAIRS, LR = 2_000, 64, 1.5e-3
DENSE = 0.5
EMPTY_CELL = 0.1  # weight of cells without an object in the class loss, three in four
ROUND_TRIP_SHARE = 0.125
HOTTEST = 50.0  # bound of the inverse temperature


@dataclass(frozen=True)
class Batch:
    """Images (2 P, 3, 64, 64); ids (4 P, L), of which the first 2 P are the images' own captions;
    ``same`` (2 P, 4 P): caption j reads as caption i, i != j; class and color ids (2 P, 64)."""

    images: Tensor
    ids: Tensor
    same: Tensor
    names: Tensor
    colors: Tensor


def batch(step: int, vae: AutoencoderKL | None, seed: int = SEED, pairs: int = PAIRS) -> Batch:
    """The training batch of a step; with ``vae`` its first images are round-tripped."""
    rng = np.random.default_rng((seed, step))
    generator = torch.Generator().manual_seed(seed * 1_000_000 + step)
    right = [scenes.random_metadata(rng) for _ in range(pairs)]
    wrong = [corrupt(r, rng) for r in right]
    drawn = [scenes.render(r, rng) for r in (*right, *wrong)]
    more = [corrupt(r, rng)["prompt"] for r in (*right, *wrong)]
    captions = [s.metadata["prompt"] for s in drawn] + more
    images = spoil.to_unit([s.image for s in drawn])
    count = 2 * pairs
    sigmas = 1.5 * torch.rand(count, generator=generator) - 0.5
    images = spoil.blur(images, sigmas)
    if vae is not None:
        some = torch.randperm(count, generator=generator)[: int(ROUND_TRIP_SHARE * count)]
        images[some] = spoil.round_trip(vae, images[some], 0.0, generator)
    grain = (0.12 * torch.rand(count, 1, 1, 1, generator=generator) - 0.06).clamp_min(0)
    images = (images + grain * torch.randn(images.shape, generator=generator)).clamp(0, 1)
    number = torch.from_numpy(np.unique(captions, return_inverse=True)[1])
    same = (number[:count, None] == number).fill_diagonal_(False)
    labels = [cells(s.objects)[:2] for s in drawn]
    names, colors = (torch.from_numpy(np.stack(kind)) for kind in zip(*labels, strict=True))
    return Batch(images, torch.tensor(words.encode_padded(captions)), same, names, colors)


class Heads(nn.Module):
    """What training needs beside the towers: the inverse temperature and the dense read-out."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(10.0).log())
        self.name = nn.Linear(WIDTH, NO_CLASS + 1)
        self.color = nn.Linear(WIDTH, NO_COLOR + 1)

    def scale(self) -> Tensor:
        return self.log_scale.exp().clamp(max=HOTTEST)

    def dense(self, tokens: Tensor, data: Batch) -> Tensor:
        rarity = torch.ones(NO_CLASS + 1)
        rarity[NO_CLASS] = EMPTY_CELL
        names = self.name(tokens).float().flatten(0, 1)
        colors = self.color(tokens).float().flatten(0, 1)
        name_loss = F.cross_entropy(names, data.names.flatten(), rarity)
        return name_loss + F.cross_entropy(colors, data.colors.flatten())


def contrast(image: Tensor, text: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """InfoNCE both ways of unit vectors image (N, D) and text (M >= N, D), of which the first N
    match; pairs marked in ``same`` (N, M) are neither match nor negative."""
    logits = (scale * image @ text.T).masked_fill(same, -1e4)
    own = torch.arange(len(image))
    choose_image = logits[:, : len(image)].T
    return (F.cross_entropy(logits, own) + F.cross_entropy(choose_image, own)) / 2


def build() -> tuple[ClipNet, Heads]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return ClipNet(), Heads()


def scorer(net: ClipNet) -> ranking.Score:
    """``net`` as a function of images (B, 3, 64, 64) and B captions."""

    @torch.no_grad()
    def score(images: Tensor, captions: list[str]) -> Tensor:
        ids = torch.tensor(words.encode_padded(captions))
        return (net.features(images) * net.text(ids)).sum(-1)

    return score


def evaluate(net: ClipNet, vae: AutoencoderKL | None, count: int, seed: int) -> ranking.Report:
    """Held-out ranking accuracies on drawings and, with ``vae``, after its round trip; and how
    the cosine falls with growing badness."""
    score = scorer(net)
    report = ranking.accuracies(score, vae, count, seed)
    report["ladders"] = ranking.ladders(score, count, seed)
    return report


def train(folder: Path, vae_folder: Path) -> None:
    """Train or resume in ``folder`` with the autoencoder in ``vae_folder``; export the weights;
    write ``folder/report.json``."""
    net, heads = build()
    vae = spoil.load_vae(vae_folder)

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        data = batch(step, vae)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = net.image.tokens(data.images.contiguous(memory_format=torch.channels_last))
            image = net.image.pool(tokens)
            dense = heads.dense(tokens, data)
        text = net.text(data.ids)
        match = contrast(image, text, heads.scale(), data.same)
        parts = {"contrast": match.item(), "dense": dense.item(), "scale": heads.scale().item()}
        return match + DENSE * dense, parts

    def check(step: int) -> Losses:
        return ranking.flatten(evaluate(net, None, 100, SEED + 1))

    fit(
        "clip",
        folder,
        [net, heads],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=2 * PAIRS,
        every=100,
        evaluate=check,
        evaluate_every=500,
    )
    path = frozen.WEIGHTS / "clip.safetensors"
    export(net, path)
    frozen.load(net, path)
    report = {"steps": STEPS, "images": STEPS * 2 * PAIRS, "held_out": 500}
    report |= evaluate(net, vae, 500, SEED + 3)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
