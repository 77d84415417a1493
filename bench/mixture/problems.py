"""Problems with a known answer: a prompt names a random Gaussian mixture and a random reward.

"separated mixture 3 of seed 0" has modes far apart beside their width, "overlapping …" has not.
"distant …" asks for mode selection alone: its modes are so far apart that a sample which has chosen
one stays there, and its reward is so flat that it hardly tells two points of a mode apart, while
the modes' shares in the target differ from those in the prior. Dandapanthula and Boffi (arXiv
2606.02884) find that guidance with a plug-in estimate fails on such mixtures.

The prompt's text decides every draw, as it does in the noise ledger.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from bench.noise import Ledger
from methods.mixture import GaussianMixture, Quadratic
from methods.settings import one_of

TAGS = ("overlapping", "separated", "distant")
# Standard deviation of the means.
SPREAD = {"overlapping": 1.0, "separated": 2.5, "distant": 6.0}
# Of a component, per direction.
WIDTH = {"overlapping": (0.6, 1.0), "separated": (0.3, 0.7), "distant": (0.3, 0.5)}
NEAR = 1.5  # standard deviation of the quadratic reward's summit, per direction
FLAT = 6.0  # the unit of length of the rewards of distant modes


def generate(n: int, seed: int, tags: Sequence[str] = TAGS[:2]) -> list[dict[str, Any]]:
    """``n`` problems of each tag. ValueError for an unknown one."""
    for tag in tags:
        one_of("prompts.tags: a tag", tag, TAGS)
    return [
        {"tag": tag, "prompt": f"{tag} mixture {k} of seed {seed}"}
        for tag in tags
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
    """The prompt's "quadratic" reward −½‖x − a‖², or its "linear" one b·x with ‖b‖ = 1; of distant
    modes the same of x/6, with the summit among the modes."""
    ledger = Ledger(0, prompt)
    unit = FLAT if prompt.startswith("distant ") else 1.0
    direction = ledger((dimension,), name).double()
    if name == "linear":
        zero = torch.zeros(dimension, dimension, dtype=torch.float64)
        return Quadratic(zero, direction / direction.norm() / unit)
    summit = NEAR * direction
    matrix = torch.eye(dimension, dtype=torch.float64) / unit**2
    return Quadratic(matrix, summit / unit, -float(summit.square().sum()) / 2)
