"""Problems with a known answer: a prompt names a random Gaussian mixture and a random reward.

"separated mixture 3 of seed 0" has modes far apart beside their width, "overlapping …" has not. The
prompt's text decides every draw, as it does in the noise ledger.
"""

from __future__ import annotations

from typing import Any

import torch

from bench.noise import Ledger
from methods.mixture import GaussianMixture, Quadratic
from methods.settings import one_of

TAGS = ("overlapping", "separated")
SPREAD = {"overlapping": 1.0, "separated": 2.5}  # standard deviation of the means
WIDTH = {"overlapping": (0.6, 1.0), "separated": (0.3, 0.7)}  # of a component, per direction
NEAR = 1.5  # standard deviation of the quadratic reward's summit, per direction


def generate(n: int, seed: int) -> list[dict[str, Any]]:
    """``n`` problems of each tag."""
    return [
        {"tag": tag, "prompt": f"{tag} mixture {k} of seed {seed}"}
        for tag in TAGS
        for k in range(n)
    ]


def mixture(prompt: str, dimension: int, components: int) -> GaussianMixture:
    """The prompt's mixture, in float64. ValueError where its first word is not a tag."""
    tag = prompt.split(" ")[0]
    one_of("a mixture's prompt: its first word", tag, TAGS)
    ledger = Ledger(0, prompt)
    means = SPREAD[tag] * ledger((components, dimension), "means").double()
    low, high = WIDTH[tag]
    widths = low + (high - low) * ledger.uniform(components * dimension, "widths")
    turns = torch.linalg.qr(ledger((components, dimension, dimension), "turns").double())[0]
    variances = widths.reshape(components, 1, dimension).square()
    covariances = (turns * variances) @ turns.transpose(1, 2)
    weights = 0.5 + ledger.uniform(components, "weights")
    return GaussianMixture((weights / weights.sum()).log(), means, covariances)


def reward(name: str, prompt: str, dimension: int) -> Quadratic:
    """The prompt's "quadratic" reward −½‖x − a‖², or its "linear" one b·x with ‖b‖ = 1."""
    ledger = Ledger(0, prompt)
    direction = ledger((dimension,), name).double()
    if name == "linear":
        zero = torch.zeros(dimension, dimension, dtype=torch.float64)
        return Quadratic(zero, direction / direction.norm())
    summit = NEAR * direction
    return Quadratic(
        torch.eye(dimension, dtype=torch.float64), summit, -float(summit.square().sum()) / 2
    )
