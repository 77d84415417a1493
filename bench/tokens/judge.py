"""Judging strings against the exact tilted target p(x_0|c) exp(λ r(x_0)), a table of all strings.

Distances are total variations: of the histogram of delivered strings, and of the letters of each
place. A perfect sampler does not get zero but the floor, the mean distance of exact sets of the
same size, measured alongside with the distance of one exact set more, a perfect sampler's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from bench.errors import BenchError
from bench.noise import Ledger
from bench.tokens.problems import prior, reward
from methods.table import Table

FLOORS = 8  # exact sets whose distances to the target are averaged


def histogram(strings: Tensor, letters: int) -> Tensor:
    """The share of each of the K^L strings among token ids (N, L), float64."""
    length = strings.shape[1]
    numbers = (strings * letters ** torch.arange(length - 1, -1, -1)).sum(dim=-1)
    return torch.bincount(numbers, minlength=letters**length).double() / len(strings)


def hamming(letters: Tensor) -> float:
    """Mean number of places in which two strings differ, by the distribution (L, K) of letters."""
    return float((1 - letters.square().sum(dim=-1)).sum())


def distances(share: Tensor, target: Table) -> dict[str, float]:
    """ "tv" of the shares (K^L,) of all strings, and "letters", that of the letters at each place,
    mean over the places."""
    gap = share - target.probabilities()
    return {
        "tv": float(gap.abs().sum()) / 2,
        "letters": float(_letters(gap, target).abs().sum(dim=-1).mean()) / 2,
    }


def _letters(share: Tensor, table: Table) -> Tensor:
    """The letters (L, K) of each place, of shares (K^L,) of all strings."""
    return torch.einsum("n,nlk->lk", share, table.points.to(share))


@dataclass(frozen=True)
class Reference:
    """A target, the floors of both distances, and the distances of a ``perfect`` sampler's set."""

    tilted: Table
    floors: Mapping[str, float]
    perfect: Mapping[str, float]


@cache
def reference(
    prompt: str, name: str, scale: float, count: int, length: int, letters: int
) -> Reference:
    """What ``count`` strings of a prompt are held against."""
    table = prior(prompt, length, letters)
    tilted = table.tilted(reward(name, prompt, table.points.argmax(dim=-1)), scale)[1]
    sets = [tilted.sample(Ledger(0, prompt).uniform(count, "truth", k)) for k in range(FLOORS + 1)]
    *found, last = [distances(histogram(own.argmax(dim=-1), letters), tilted) for own in sets]
    return Reference(tilted, {key: sum(d[key] for d in found) / FLOORS for key in last}, last)


@dataclass(frozen=True)
class StringsJudge:
    """Measures strings against the target of ``reward`` with λ = ``scale``."""

    scores: Sequence[str]
    reward: str
    scale: float
    letters: int

    def digest(self) -> str:
        return f"truth-{self.reward}-{self.scale}"

    def judge(self, metadata: Mapping[str, Any], images: Tensor) -> dict[str, Any]:
        """The judging part of a record, of token ids (N, L)."""
        prompt, (count, length) = metadata["prompt"], images.shape
        truth = reference(prompt, self.reward, self.scale, count, length, self.letters)
        share, every = histogram(images, self.letters), truth.tilted.points.argmax(dim=-1)
        found = distances(share, truth.tilted)
        beside = (("", found), ("_floor", truth.floors), ("_perfect", truth.perfect))
        forms = {name: reward(name, prompt, every) for name in self.scores}
        values = {name: reward(name, prompt, images).tolist() for name in self.scores}
        pairs = count / max(count - 1, 1)  # of two different strings
        return {
            "distance": {
                f"{name}{end}": round(values[name], 6) for name in found for end, values in beside
            },
            "scores": {name: [round(v, 5) for v in own] for name, own in values.items()},
            "target": {
                name: round(float(truth.tilted.expectation(own)), 6) for name, own in forms.items()
            },
            "diversity": round(pairs * hamming(_letters(share, truth.tilted)), 6),
            "target_diversity": round(hamming(truth.tilted.mean()), 6),
        }


def load(
    scores: Sequence[str], reward: str, target_scale: float | None, backbone: Mapping[str, Any]
) -> StringsJudge:
    """BenchError where there is no truth to judge by."""
    if target_scale is None:
        raise BenchError("judge=truth needs target_scale, the target's λ")
    return StringsJudge(scores, reward, target_scale, backbone["letters"])
