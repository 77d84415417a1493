"""Judging sets of strings: valid, unique, novel, every score, and the distance to the exact target.

How many strings are distinct or novel is a property of a whole set, and grows with it: it is stated
per set and never resampled string by string.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.molecules.known import Known
from bench.molecules.reward import MoleculeReward
from bench.molecules.text import from_codes
from bench.noise import Ledger

FLOORS = 8  # exact sets whose distances to the target are averaged


def total_variation(values: np.ndarray, law: Mapping[float, float]) -> float:
    """Between the histogram of ``values`` (N,) and a law on numbers: half the sum of the gaps."""
    found, counts = np.unique(values, return_counts=True)
    shares = dict(zip(found.tolist(), (counts / len(values)).tolist(), strict=True))
    return sum(abs(shares.get(v, 0.0) - law.get(v, 0.0)) for v in {*shares, *law}) / 2


@dataclass(frozen=True)
class MoleculeJudge:
    """``scores`` by name; ``reward`` guided with λ = ``scale``. ``exact``: the prior is the table,
    so that the target p(x_0) exp(λ r) is known."""

    scores: Mapping[str, MoleculeReward]
    reward: str
    scale: float
    exact: bool

    @property
    def known(self) -> Known:
        return self.scores[self.reward].known

    def digest(self) -> str:
        return f"molecules-{self.reward}-{self.scale}-{self.exact}"

    def judge(self, metadata: Mapping[str, Any], images: Tensor) -> dict[str, Any]:
        """The judging part of a record, of codes (N, W)."""
        found = self.known.describe(from_codes(images))
        valid = [one for one in found if one is not None]
        distinct = {one.smiles: one for one in valid}
        novel = [one for one in distinct.values() if not self.known.lists(one)]
        values = {name: r(images, "").tolist() for name, r in self.scores.items()}
        strings: dict[str, float] = {
            "valid": len(valid) / len(found),
            "unique": len(distinct) / len(found),
            "novel": len(novel),
        }
        if novel:
            kept = [getattr(one, self.scores[self.reward].form) for one in novel]
            strings[f"novel {self.reward}"] = float(np.mean(kept))
        record: dict[str, Any] = {
            "strings": {k: round(v, 6) for k, v in strings.items()},
            "scores": {n: [round(v, 5) for v in vs] for n, vs in values.items()},
            "diversity": round(len(distinct) / len(found), 6),
        }
        return record | (self._target(np.array(values[self.reward])) if self.exact else {})

    def _target(self, delivered: np.ndarray) -> dict[str, Any]:
        weights, _ = tilted(self.scores[self.reward], self.scale)
        law, floor = reference(self.scores[self.reward], self.scale, len(delivered))
        exact = {n: float(weights @ self.known.values(r.form)) for n, r in self.scores.items()}
        distance = {"tv": total_variation(delivered, law), "tv_floor": floor}
        return {
            "distance": {k: round(v, 6) for k, v in distance.items()},
            "target": {n: round(v, 6) for n, v in exact.items()},
        }


@cache
def tilted(reward: MoleculeReward, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The target's probability of every string of the table, and its reward as a record has it."""
    values = reward.known.values(reward.form)
    weights = np.exp(scale * (values - values.max()))
    return weights / weights.sum(), np.round(values.astype(np.float32).astype(float), 5)


@cache
def reference(reward: MoleculeReward, scale: float, count: int) -> tuple[dict[float, float], float]:
    """The law of the reward under the target, and how far ``count`` exact samples are from it."""
    weights, values = tilted(reward, scale)
    found, place = np.unique(values, return_inverse=True)
    law = dict(zip(found.tolist(), np.bincount(place, weights).tolist(), strict=True))
    ledger, total = Ledger(0, "molecules"), torch.from_numpy(weights.cumsum())
    sets = [
        torch.searchsorted(total, ledger.uniform(count, "truth", number) * total[-1])
        for number in range(FLOORS)
    ]
    return law, float(np.mean([total_variation(values[own.numpy()], law) for own in sets]))


def load(
    scores: Mapping[str, Any], reward: str, target_scale: float | None, exact: bool
) -> MoleculeJudge:
    return MoleculeJudge(scores, reward, 0.0 if target_scale is None else target_scale, exact)


def sets(n: int, seed: int) -> Sequence[dict[str, Any]]:
    """Independent sets of strings: the prior knows no prompts, so each is a prompt of its own."""
    return [{"tag": "set", "prompt": f"set {k} of seed {seed}"} for k in range(n)]
