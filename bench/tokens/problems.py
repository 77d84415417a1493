"""Strings with a known answer: a prompt names a random prior over all K^L, and their rewards.

In "independent strings 3 of seed 0" the prior draws every token by itself; in "correlated …" every
string has a random weight of its own. The prompt's text decides every draw, as it does in the noise
ledger, and a string's letters name it: its reward does not depend on how many letters there are.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from bench.noise import Ledger
from methods.settings import one_of
from methods.table import Table

SHARPNESS = 1.5  # standard deviation of the prior's log weights


def generate(n: int, seed: int) -> list[dict[str, Any]]:
    """``n`` problems of each tag."""
    return [
        {"tag": tag, "prompt": f"{tag} strings {k} of seed {seed}"}
        for tag in TAGS
        for k in range(n)
    ]


def whole(prompt: str, purpose: str, strings: Tensor) -> Tensor:
    """A standard normal number of each string (N, L) -> (N,), float64."""
    distinct, places = strings.unique(dim=0, return_inverse=True)
    return Ledger(0, prompt).stack((), purpose, distinct.tolist()).double()[places]


def summed(prompt: str, purpose: str, strings: Tensor) -> Tensor:
    """A sum over the tokens of each string (N, L) -> (N,), float64, as large as ``whole``'s."""
    length, letters = strings.shape[1], int(strings.max()) + 1
    keys = list(product(range(length), range(letters)))
    table = Ledger(0, prompt).stack((), purpose, keys).double().reshape(length, letters)
    return table[torch.arange(length), strings].sum(dim=-1) / length**0.5


Numbers = Callable[[str, str, Tensor], Tensor]
TAGS: dict[str, Numbers] = {"independent": summed, "correlated": whole}
REWARDS: dict[str, Numbers] = {"table": whole, "additive": summed}


def every(length: int, letters: int) -> Table:
    """All K^L strings in the order of the numbers that they write, equally likely."""
    strings = torch.cartesian_prod(*[torch.arange(letters)] * length).reshape(-1, length)
    return Table(torch.zeros(len(strings)).double(), one_hot(strings, letters).float())


def prior(prompt: str, length: int, letters: int) -> Table:
    """The prompt's prior. ValueError where its first word is not a tag."""
    tag = prompt.split(" ")[0]
    one_of("a prompt of strings: its first word", tag, list(TAGS))
    table = every(length, letters)
    weights = SHARPNESS * TAGS[tag](prompt, "prior", table.points.argmax(dim=-1))
    return Table(weights.log_softmax(dim=0), table.points)


def reward(name: str, prompt: str, strings: Tensor) -> Tensor:
    """The prompt's rewards of strings (N, L) -> (N,): "table" has a random one for every string,
    "additive" adds one for every token."""
    return REWARDS[name](prompt, name, strings)
