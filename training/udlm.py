"""The UDLM of small molecules: trained on the table's strings, each as often as the others.

The loss is the cross-entropy of the posterior p(x_0^l | x_t), which the network's leave-one-out
logits give together with the letter that is there. Times are stratified over a batch. The log
tells the share of valid, distinct and new strings among samples drawn with the averaged weights.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.molecules.table import Molecules, built_in
from bench.molecules.udlm import WEIGHTS, UdlmNetwork, UdlmSize, gain, posterior, save_udlm
from methods.kernel import token_level, transition
from training.loop import Losses, fit

SEED = 50_000
STEPS, BATCH, LR = 12_000, 128, 2.5e-3
WIDTH, CONDITION, BLOCKS, HEADS = 128, 64, 4, 4
SAMPLES, SAMPLING_STEPS = 256, 64
FINAL_SAMPLES = 1_000
LEAST_TIME = 1e-3


def noised(tokens: Tensor, t: Tensor, letters: int, generator: torch.Generator) -> Tensor:
    """Each token kept with probability 1 - t, else drawn uniformly from all letters."""
    kept = torch.rand(tokens.shape, generator=generator) < (1 - t)[:, None]
    return torch.where(kept, tokens, torch.randint(letters, tokens.shape, generator=generator))


def loss(network: UdlmNetwork, clean: Tensor, generator: torch.Generator) -> Tensor:
    """Mean cross-entropy in nats a letter of the posterior at stratified times."""
    letters, count = network.size.letters, len(clean)
    t = (torch.arange(count) + torch.rand(count, generator=generator)) / count
    t = t.clamp(LEAST_TIME, 1 - LEAST_TIME)
    noisy = noised(clean, t, letters, generator)
    own = gain(1 - t, letters)[:, None, None] * F.one_hot(noisy, letters)
    return F.cross_entropy((network(noisy, t) + own).flatten(0, 1), clean.flatten())


@torch.no_grad()
def sample(network: UdlmNetwork, count: int, steps: int, generator: torch.Generator) -> Tensor:
    """Token ids (count, L) by ancestral steps at evenly spaced times, from letters at random."""
    letters, length = network.size.letters, network.size.length
    tokens = torch.randint(letters, (count, length), generator=generator)
    levels = [token_level(1 - k / steps, letters) for k in range(steps + 1)]
    for start, end in pairwise(levels):
        t = torch.full((count,), start.t)
        clean = posterior(network(tokens, t), tokens, gain(1 - t, letters)[:, None])
        weights = transition(F.one_hot(tokens, letters).float(), clean, start, end)
        tokens = torch.multinomial(weights.flatten(0, 1), 1, generator=generator).view_as(tokens)
    return tokens


def quality(network: UdlmNetwork, table: Molecules, count: int, steps: int) -> Losses:
    """Shares of samples that are valid; of the valid ones, that are distinct, and not in the table.

    RDKit judges, and molecules count by their canonical form.
    """
    tokens = sample(network, count, steps, torch.Generator().manual_seed(SEED))
    found = [m.smiles for m in table.describe(table.vocabulary.decode(tokens)) if m is not None]
    valid = max(len(found), 1)
    return {
        "valid": len(found) / count,
        "unique": len(set(found)) / valid,
        "novel": sum(smiles not in table.index for smiles in found) / valid,
    }


def train(folder: Path, _: Path) -> None:
    """Train on the built-in table and export the averaged weights into the package."""
    torch.set_num_threads(1)
    table = built_in()
    strings = table.vocabulary.encode(table.smiles)
    torch.manual_seed(SEED)
    size = UdlmSize(
        len(table.vocabulary.letters), table.vocabulary.length, WIDTH, CONDITION, BLOCKS, HEADS
    )
    network = UdlmNetwork(size)

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        generator = torch.Generator().manual_seed(SEED * 1_000_000 + step)
        clean = strings[torch.randint(len(strings), (BATCH,), generator=generator)]
        nats = loss(network, clean, generator)
        return nats, {"loss": nats.item() * size.length}

    fit(
        "udlm",
        folder,
        [network],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=BATCH,
        flat=0.3,
        ema_decay=0.998,
        evaluate=lambda _: quality(network, table, SAMPLES, SAMPLING_STEPS),
        evaluate_every=1_000,
    )
    save_udlm(network, table.vocabulary, WEIGHTS)
    for steps in (16, 32, 64, 128):
        print(f"{steps} steps", quality(network, table, FINAL_SAMPLES, steps), flush=True)
