"""The second reward's training: noisy pairwise preferences, and an adversary in the latents.

Four renderings of one caption are compared by annotators (``votes``). The network's score
differences are the log-odds of their votes.

Each batch is seen PASSES times beside decodings of its latents, first with noise on them, then
moved by an adversary, each time one normalised step up the network's own score, which is what
guidance would do ("free" adversarial training, Shafahi et al., 2019, arXiv 1904.12843). What such
a move is worth is known, for the sound image of the same caption and layout is: its share of the
way there mends that share of what is wrong, and all that leads aside spoils. So the score is taught
not to rise where only the network sees a reason, and its gradient to point to what is sound.

It begins with ``preference``'s weights: what a caption's words mean takes an hour to learn anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.miniature import frozen, words
from bench.miniature.preference import PreferenceNet
from bench.miniature.taste import TasteNet
from training import preference, ranking, spoil
from training.loop import Losses, export, fit
from training.votes import ACCIDENTS, IMAGES, PAIRS, renderings, votes

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

SEED = 60_000
STEPS, GROUPS, LR = 800, 6, 3e-4
PASSES = 5
NOISE = 0.12  # the most noise on latents, in units of their norm, as are the adversary's steps
REACH = (0.01, 0.04)
SPOILS, SPOILS_LESS = 10.0, 2.5  # log-odds lost by a move of 1 aside, of a sound image and another
WRONG, UNTIDY = 3.0, 2.0  # log-odds that a mistake and full disorder cost the mean annotator
SOUND = 0.25  # mistakes and disorder below which an image is sound
MOVES = 2.0  # weight of images against themselves moved


@dataclass(frozen=True)
class Batch:
    """Images (G * 4, 3, 64, 64) in [0, 1], word ids (G * 4, 1, L), votes (G, 6); of each
    image, (G * 4,): log-odds lost to the sound one, and those lost when it is moved aside by its
    own norm."""

    images: Tensor
    ids: Tensor
    votes: Tensor
    flaws: Tensor
    spoils: Tensor


def batch(number: int, seed: int = SEED, groups: int = GROUPS) -> Batch:
    """The batch keyed by (seed, number), each image blurred, scaled, moved and grained a little."""
    rng = np.random.default_rng((seed, number))
    generator = torch.Generator().manual_seed(seed * 1_000_000 + number)
    drawn = [renderings(rng) for _ in range(groups)]
    images = spoil.to_unit([r.image for _, group in drawn for r in group])
    count = len(images)
    images = spoil.blur(images, (1.8 * torch.rand(count, generator=generator) - 0.8))
    grain = (0.08 * torch.rand(count, 1, 1, 1, generator=generator) - 0.05).clamp_min(0)
    images = images + grain * torch.randn(images.shape, generator=generator)
    scale = 1 + 0.12 * (torch.rand(count, generator=generator) - 0.5)
    scale[torch.rand(count, generator=generator) < 0.5] = 1
    grid = F.affine_grid(torch.eye(2, 3) * scale[:, None, None], list(images.shape), False)
    images = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    ids = torch.tensor(words.encode_padded([c for c, _ in drawn]))
    flat = [r for _, group in drawn for r in group]
    sound = torch.tensor([max(r.wrong, r.untidy) < SOUND for r in flat])
    return Batch(
        images.clamp(0, 1),
        ids.repeat_interleave(IMAGES, 0)[:, None],
        torch.from_numpy(votes([g for _, g in drawn], rng)).float(),
        torch.tensor([WRONG * r.wrong + UNTIDY * r.untidy for r in flat]),
        torch.where(sound, SPOILS, SPOILS_LESS),
    )


def preference_loss(scores: Tensor, moved: Tensor, voted: Tensor, lost: Tensor) -> Tensor:
    """Bradley and Terry's, of raw scores (G, 4) against shares of votes (G, 6), where both images
    of a pair are as drawn, where either has been moved, and of every image against itself moved.

    ``moved`` (G, 4): the scores of what has been moved; ``lost`` (G, 4): log-odds lost by that.
    """
    odds = voted.clamp(ACCIDENTS / 2, 1 - ACCIDENTS / 2).logit()
    first, second = PAIRS.T
    margins = (
        (scores[:, first] - scores[:, second], odds),
        (scores[:, first] - moved[:, second], odds + lost[:, second]),
        (moved[:, first] - scores[:, second], odds - lost[:, first]),
        (scores - moved, lost),
    )
    parts = [F.binary_cross_entropy_with_logits(m, target.sigmoid()) for m, target in margins]
    return parts[0] + parts[1] + parts[2] + MOVES * parts[3]


def norms(z: Tensor) -> Tensor:
    return z.flatten(1).norm(dim=1)[:, None, None, None]


class Adversary:
    """A batch, its latents, where they have been moved to, and what scores they have there."""

    data: Batch
    start: Tensor
    reach: Tensor
    z: Tensor
    scores: Tensor

    def __init__(self, vae: AutoencoderKL, seed: int = SEED):
        self.vae, self.seed = vae, seed

    def move(self, step: int) -> Tensor:
        """On to the step's images (G * 4, 3, 64, 64), decoded from ``z``; ``data`` is its batch."""
        number, turn = divmod(step, PASSES)
        if turn == 0:
            self.data = batch(number, self.seed)
            generator = torch.Generator().manual_seed(self.seed * 1_000_000 + step)
            with torch.no_grad():
                self.start = self.vae.encode(self.data.images * 2 - 1).latent_dist.mode()
            way = torch.randn(self.start.shape, generator=generator)
            one = (len(way), 1, 1, 1)
            low, high = REACH
            self.reach = low + (high - low) * torch.rand(one, generator=generator)
            reach = NOISE * torch.rand(one, generator=generator)
            self.z = self.start
        else:
            assert self.z.grad is not None and self.scores.grad is not None
            # The loss's gradient is each score's, times the loss's own slope in that score.
            way = self.z.grad * self.scores.grad.sign()[:, None, None, None]
            reach = self.reach
        self.z = self.z.detach() + reach * norms(self.start) * way / norms(way).clamp_min(1e-12)
        self.z.requires_grad_()
        return (self.vae.decode(self.z).sample / 2 + 0.5).clamp(0, 1)

    def lost(self) -> Tensor:
        """Log-odds that each image has lost by its move, (G * 4,); less than 0: it was mended."""
        grouped = self.start.view(-1, IMAGES, *self.start.shape[1:])
        way = (grouped[:, :1] - grouped).flatten(0, 1).flatten(1)
        move = (self.z.detach() - self.start).flatten(1)
        share = (move * way).sum(1) / way.square().sum(1).clamp_min(1e-6)
        share = share.clamp(-1, 1)
        aside = (move - share[:, None] * way).norm(dim=1) / self.start.flatten(1).norm(dim=1)
        return self.data.spoils * aside - self.data.flaws * share


def build() -> TasteNet:
    """The network with the preference's weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        net, start = TasteNet(), PreferenceNet()
    frozen.load(start, frozen.WEIGHTS / "preference.safetensors")
    net.load_state_dict(start.state_dict(), strict=False)  # all but what sees tidiness
    return net


def evaluate(net: TasteNet, vae: AutoencoderKL | None, count: int, seed: int) -> ranking.Report:
    """Held-out ranking accuracies, ladders, and the share of pairs ranked as most annotators would,
    where they agree."""
    report = preference.evaluate(net, vae, count, seed)
    data = batch(0, seed, count)
    with torch.no_grad():
        scores = net(data.images, data.ids).view(count, IMAGES)
    flaws = data.flaws.view(count, IMAGES)
    gap = flaws[:, PAIRS[:, 1]] - flaws[:, PAIRS[:, 0]]
    margin = scores[:, PAIRS[:, 0]] - scores[:, PAIRS[:, 1]]
    clear = gap.abs() > 0.5
    report["pairs"] = round(float(((gap * margin) > 0)[clear].float().mean()), 4)
    return report


def train(folder: Path, vae_folder: Path) -> None:
    """Train or resume in ``folder``; export the weights; write ``folder/report.json``."""
    net, vae = build(), spoil.load_vae(vae_folder)
    adversary = Adversary(vae)

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        images = adversary.move(step)
        data = adversary.data
        tokens = net.look(torch.cat([data.images, images]))
        scores = net.compare(tokens, data.ids.repeat(2, 1, 1)).scores.flatten()
        scores, adversary.scores = scores.chunk(2)
        adversary.scores.retain_grad()
        both, lost = (
            torch.stack([scores, adversary.scores]).view(2, -1, IMAGES),
            adversary.lost().view(-1, IMAGES),
        )
        loss = preference_loss(both[0], both[1], data.votes, lost)
        gain = (both[1] - both[0]).detach()
        off = (gain + lost).abs().mean()
        return loss, {"loss": loss.item(), "gain": gain.mean().item(), "off": off.item()}

    def check(step: int) -> Losses:
        return ranking.flatten(evaluate(net, None, 60, SEED + 1))

    fit(
        "taste",
        folder,
        [net],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=GROUPS * IMAGES,
        warmup=50,
        every=50,
        ema_decay=0.995,
        evaluate=check,
        evaluate_every=300,
    )
    preference.standardize(net, vae)
    export(net, frozen.WEIGHTS / "taste.safetensors")
    frozen.load(net, frozen.WEIGHTS / "taste.safetensors")
    report = {"steps": STEPS, "images": STEPS * GROUPS * IMAGES, "held_out": 300}
    report |= evaluate(net, vae, 300, SEED + 3)
    (folder / "report.json").write_text(json.dumps(report, indent=2) + "\n")
