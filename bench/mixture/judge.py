"""Judging points against the exact tilted target p(x_0|c) exp(λ r(x_0)).

Distances are between equally many samples: the delivered ones, and as many exact ones. A perfect
sampler does not get zero but the floor, the mean distance of exact sets, measured alongside; what a
perfect sampler gets is the distance of one exact set more, which shows how far luck carries.
``modes`` looks at the modes alone: how many samples are in each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.errors import BenchError
from bench.mixture.problems import mixture, reward
from bench.noise import Ledger
from methods.mixture import GaussianMixture, log_normal

FLOORS = 8  # exact sets whose distances to the reference set are averaged


def wasserstein(a: Tensor, b: Tensor) -> float:
    """2-Wasserstein distance between two sets (N, D) of equal weight, by linear assignment."""
    from scipy.optimize import linear_sum_assignment

    cost = torch.cdist(a.double(), b.double()).square().numpy()
    rows, columns = linear_sum_assignment(cost)
    return float(np.sqrt(cost[rows, columns].mean()))


def mmd(a: Tensor, b: Tensor, width: float) -> float:
    """Maximum mean discrepancy of (N, D) and (M, D) with the kernel exp(−‖x − y‖²/(2 width²))."""

    def mean(x: Tensor, y: Tensor) -> Tensor:
        return (-torch.cdist(x, y).square() / (2 * width**2)).exp().mean()

    a, b = a.double(), b.double()
    return float((mean(a, a) + mean(b, b) - 2 * mean(a, b)).clamp(min=0).sqrt())


def target(
    prompt: str, name: str, scale: float, dimension: int, components: int
) -> GaussianMixture:
    """The prompt's mixture tilted by exp(λ r)."""
    prior = mixture(prompt, dimension, components)
    return prior.tilted(reward(name, prompt, dimension), scale)[1]


def exact_samples(tilted: GaussianMixture, count: int, prompt: str, number: int) -> Tensor:
    """The ``number``-th set of ``count`` exact samples (count, D)."""
    ledger = Ledger(0, prompt)
    normal = ledger((count, tilted.means.shape[-1]), "truth", number)
    return tilted.sample(ledger.uniform(count, "truth component", number), normal)


def shares(mixture: GaussianMixture, points: Tensor) -> Tensor:
    """The part of points (N, D) that each component (K,) most probably drew."""
    parts = log_normal(points.unsqueeze(-2) - mixture.means, mixture.covariances)
    drew = (mixture.log_weights.flatten() + parts).argmax(dim=-1)
    return torch.bincount(drew, minlength=len(mixture.means)) / len(points)


def apart(a: Tensor, b: Tensor) -> float:
    """Total variation between two lists of shares."""
    return float((a - b).abs().sum() / 2)


@dataclass(frozen=True)
class Reference:
    """A target, exact samples of it, the kernel's width, the components' shares of many exact
    samples, the floors of the distances, and the distances of a ``perfect`` sampler's set."""

    tilted: GaussianMixture
    samples: Tensor
    width: float
    shares: Tensor
    floors: Mapping[str, float]
    perfect: Mapping[str, float]


@cache
def reference(
    prompt: str, name: str, scale: float, count: int, dimension: int, components: int
) -> Reference:
    """What ``count`` samples of a prompt are held against."""
    tilted = target(prompt, name, scale, dimension, components)
    samples = exact_samples(tilted, count, prompt, 0)
    width = float(torch.pdist(samples).median()) if count > 1 else 1.0
    others = [exact_samples(tilted, count, prompt, k + 1) for k in range(FLOORS)]
    mean = torch.stack([shares(tilted, other) for other in others]).mean(dim=0)
    made = Reference(tilted, samples, width, mean, {}, {})
    found = [distances(made, other) for other in others]
    floors = {name: float(np.mean([own[name] for own in found])) for name in found[0]}
    floors["modes"] = max(floors["modes"], 0.5 / count)
    perfect = distances(made, exact_samples(tilted, count, prompt, FLOORS + 1))
    return replace(made, floors=floors, perfect=perfect)


def distances(truth: Reference, points: Tensor) -> dict[str, float]:
    """Of points (N, D) from as many exact samples, and from the target's modes."""
    return {
        "w2": wasserstein(points, truth.samples),
        "mmd": mmd(points, truth.samples, truth.width),
        "modes": apart(shares(truth.tilted, points), truth.shares),
    }


@dataclass(frozen=True)
class TruthJudge:
    """Measures samples against the target of ``reward`` with λ = ``scale``."""

    scores: Sequence[str]
    reward: str
    scale: float
    components: int

    def digest(self) -> str:
        return f"truth-{self.reward}-{self.scale}"

    def judge(self, metadata: Mapping[str, Any], images: Tensor) -> dict[str, Any]:
        """The judging part of a record, of points (N, D)."""
        prompt, (count, dimension) = metadata["prompt"], images.shape
        truth = reference(prompt, self.reward, self.scale, count, dimension, self.components)
        points = images.double()
        found = distances(truth, points)
        beside = (("", found), ("_floor", truth.floors), ("_perfect", truth.perfect))
        forms = {name: reward(name, prompt, dimension) for name in self.scores}
        values = {name: form(points).tolist() for name, form in forms.items()}
        exact = {name: float(truth.tilted.expectation(form)) for name, form in forms.items()}
        return {
            "distance": {
                f"{name}{end}": round(values[name], 6) for name in found for end, values in beside
            },
            "scores": {n: [round(v, 5) for v in vs] for n, vs in values.items()},
            "target": {n: round(v, 6) for n, v in exact.items()},
            "diversity": round(variance(points), 6),
            "target_diversity": round(2 * float(truth.tilted.covariance().trace()), 6),
        }


def variance(points: Tensor) -> float:
    """Mean squared distance over the pairs of points (N, D)."""
    return float(2 * points.var(dim=0, correction=1).sum()) if len(points) > 1 else 0.0


def load(
    scores: Sequence[str], reward: str, target_scale: float | None, backbone: Mapping[str, Any]
) -> TruthJudge:
    """BenchError where there is no truth to judge by."""
    if backbone["kind"] != "mixture" or target_scale is None:
        raise BenchError("judge=truth needs backbone=mixture and target_scale, the target's λ")
    return TruthJudge(scores, reward, target_scale, backbone["components"])
