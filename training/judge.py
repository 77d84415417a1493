"""The judge's training stage: spoiled and round-tripped icon scenes, calibration, a report.

Half of every batch is drawn fresh, half comes from a bank of scenes that went through the
autoencoder with noisy latents, as a diffusion model's samples do. Objectness is a plain binary
cross-entropy, whose minimiser is a probability; cells around a centre weigh less, as in Zhou et
al., "Objects as Points". Two figures on held-out scenes, a slope and a shift of the logit, then
calibrate the score, and the report compares the judge with the truth.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.miniature.frozen import WEIGHTS
from bench.miniature.judge import (
    BOX_UNIT,
    CELLS,
    FILE,
    STRIDE,
    MiniatureJudge,
    Network,
    boxes_at,
    peaks,
    split,
)
from bench.store.images import from_bytes, to_bytes
from training.distractors import Labelled, labelled
from training.judge_check import evaluate_ground_truth, table
from training.loop import Losses, export, fit
from training.spoil import load_vae, round_trip

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

SEED = 20_000
STEPS, BATCH, LR = 2_400, 64, 2e-3
BANK, BANK_CHUNK = 16_000, 250
LATENT_NOISE = 0.15  # at most, in standard deviations of the latents
HELD_OUT = 2_000
NEAR = 1.0  # cells: the width of the bell that spares a centre's neighbours
FRESH_KEY, BANK_KEY, CHECK_KEY, AUGMENT_KEY = range(4)


def bank(vae: AutoencoderKL, path: Path, count: int, key: int) -> Labelled:
    """``count`` round-tripped scenes, kept in (and read again from) the file ``path``."""
    if path.exists():
        with np.load(path) as kept:
            return Labelled(kept["images"], kept["labels"])
    whole: Labelled | None = None
    for chunk in range(0, count, BANK_CHUNK):
        drawn = labelled(np.random.default_rng((SEED, key, chunk)), min(BANK_CHUNK, count - chunk))
        generator = torch.Generator().manual_seed(SEED * 1_000_000 + 10 * chunk + key)
        noise = LATENT_NOISE * torch.rand(len(drawn.images), 1, 1, 1, generator=generator)
        back = round_trip(vae, from_bytes(drawn.images), noise, generator)
        part = Labelled(to_bytes(back), drawn.labels)
        whole = part if whole is None else whole + part
    assert whole is not None
    part_path = path.with_suffix(".part.npz")
    np.savez(part_path, images=whole.images, labels=whole.labels)
    part_path.replace(path)
    return whole


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Per image: a 3 x 3 blur or a slight sharpening, pixel noise, gain, and a tint."""
    count = len(images)

    def uniform(low: float, high: float, channels: int = 1) -> Tensor:
        return low + (high - low) * torch.rand(count, channels, 1, 1, generator=generator)

    bell = torch.tensor([0.27, 0.46, 0.27])
    kernel = (bell[:, None] * bell / bell.sum() ** 2).expand(3, 1, 3, 3)
    blurred = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
    images = images + uniform(-0.3, 1.0) * (blurred - images)
    images = (images - 0.745) * uniform(0.92, 1.08) + 0.745 + uniform(-0.02, 0.02, 3)
    noise = torch.randn(images.shape, generator=generator)
    return (images + uniform(0, 0.04) * noise).clamp(0, 1)


def loss(output: Tensor, labels: np.ndarray) -> tuple[Tensor, Losses]:
    """The detector's loss on a batch's outputs (B, 95, 16, 16) and labels (M, 7).

    Class, box and colour are learnt at each centre cell and its eight neighbours.
    """
    objectness, classes, boxes, colors = split(output)
    rows = torch.from_numpy(labels)
    image, name, color = rows[:, 0].long(), rows[:, 1].long(), rows[:, 2].long()
    middle = (rows[:, 3:5] + rows[:, 5:7]) / 2 / STRIDE
    cell = middle.floor().long().clamp(0, CELLS - 1)

    steps = torch.arange(CELLS)
    away = (steps - cell[:, :1])[:, None, :] ** 2 + (steps - cell[:, 1:])[:, :, None] ** 2
    near = torch.exp(-away / (2 * NEAR**2))
    weight = torch.ones_like(objectness)
    for i, bell in zip(image.tolist(), near, strict=True):
        weight[i] *= (1 - bell) ** 4
    target = torch.zeros_like(objectness)
    target[image, cell[:, 1], cell[:, 0]] = 1
    weight = torch.where(target > 0, 1.0, weight)
    each = F.binary_cross_entropy_with_logits(objectness, target, weight, reduction="sum")
    object_loss = each / max(1, len(rows))

    around = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2))
    spots = (cell[:, None] + around).flatten(0, 1)
    inside = ((spots >= 0) & (spots < CELLS)).all(1)
    i, name, color = (v.repeat_interleave(9)[inside] for v in (image, name, color))
    (x, y), corners = spots[inside].T, rows[:, 3:].repeat_interleave(9, 0)[inside]
    wanted = (corners - (spots[inside].repeat(1, 2) + 0.5) * STRIDE) / BOX_UNIT
    class_loss = F.cross_entropy(classes[i, :, y, x], name)
    box_loss = F.l1_loss(boxes[i, :, y, x], wanted)
    color_loss = F.cross_entropy(colors[i, :, y, x], color, ignore_index=-1)
    total = object_loss + class_loss + 2 * box_loss + 0.5 * color_loss
    parts = {"object": object_loss, "class": class_loss, "box": box_loss, "color": color_loss}
    return total, {key: float(value.detach()) for key, value in parts.items()}


@torch.no_grad()
def matches(network: Network, data: Labelled) -> tuple[Tensor, Tensor, int]:
    """Raw logits of all peaks, whether each is right (class, and IoU above 0.5), objects in all."""
    logits, right = [], []
    for start in range(0, len(data.images), 200):
        part = data.take(np.arange(start, min(start + 200, len(data.images))))
        output = network(from_bytes(part.images))
        image, row, column, name, logit = peaks(output)
        found, truth = boxes_at(output, image, row, column), torch.from_numpy(part.labels)
        low = torch.maximum(found[:, None, :2], truth[None, :, 3:5])
        high = torch.minimum(found[:, None, 2:], truth[None, :, 5:7])
        shared = (high - low).clamp(min=0).prod(-1)
        area = (found[:, 2:] - found[:, :2]).prod(-1)[:, None]
        area = area + (truth[:, 5:7] - truth[:, 3:5]).prod(-1)
        same = (image[:, None] == truth[:, 0]) & (name[:, None] == truth[:, 1])
        logits.append(logit)
        right.append((same & (shared > 0.5 * (area - shared))).any(1))
    return torch.cat(logits), torch.cat(right), len(data.labels)


def calibrate(logits: Tensor, right: Tensor) -> Tensor:
    """Slope and shift (2,) of the logistic regression of ``right`` on ``logits``, by L-BFGS."""
    line = torch.tensor([1.0, 0.0], requires_grad=True)
    solver = torch.optim.LBFGS([line], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        solver.zero_grad()
        value = F.binary_cross_entropy_with_logits(line[0] * logits + line[1], right.float())
        value.backward()
        return value

    solver.step(closure)
    return line.detach()


def train(folder: Path, vae_folder: Path) -> None:
    """Train (or resume), calibrate, write the weights into the package and ``report.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    vae = load_vae(vae_folder)
    stored = bank(vae, folder / "bank.npz", BANK, BANK_KEY)
    held_out = bank(vae, folder / "held_out.npz", HELD_OUT // 2, CHECK_KEY)
    held_out = held_out + labelled(np.random.default_rng((SEED, CHECK_KEY)), HELD_OUT // 2)
    torch.manual_seed(SEED)
    network = Network()

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        rng = np.random.default_rng((SEED, FRESH_KEY, step))
        data = stored.take(rng.integers(len(stored.images), size=BATCH // 2))
        data = data + labelled(rng, BATCH - BATCH // 2)
        generator = torch.Generator().manual_seed(SEED * 1_000_000 + 10 * step + AUGMENT_KEY)
        images = augment(from_bytes(data.images), generator)
        with torch.autocast("cpu", torch.bfloat16):
            output = network(images)
        return loss(output, data.labels)

    def evaluate(step: int) -> Losses:
        logits, right, objects = matches(network, held_out)
        kept = logits > 0
        return {
            "recall": float((right & kept).sum()) / objects,
            "precision": float((right & kept).sum() / kept.sum().clamp(min=1)),
        }

    fit(
        "judge",
        folder,
        [network],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=BATCH,
        warmup=50,
        evaluate=evaluate,
        evaluate_every=1_000,
    )
    export(calibrated(network, held_out), WEIGHTS / FILE)
    report = evaluate_ground_truth(MiniatureJudge.load(), vae, seed=SEED + 1)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    print(table(report), flush=True)


def calibrated(network: Network, held_out: Labelled) -> Network:
    """``network`` with its weights rounded to float16, as they are kept, and calibrated after."""
    state = network.state_dict()
    network.load_state_dict({key: value.half().float() for key, value in state.items()})
    logits, right, _ = matches(network, held_out)
    network.calibration.copy_(calibrate(logits, right))
    return network
