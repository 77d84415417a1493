"""A weighted sum of other rewards (the paper's table 6 mixes ImageReward and CLIP)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from bench.rewards import LoadedReward


@dataclass(frozen=True)
class MixSettings:
    """``of``: a weight for each reward, by its name among the configured rewards."""

    of: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.of or not all(isfinite(w) and w != 0 for w in self.of.values()):
            raise ValueError(f"of must give rewards weights other than 0, got {dict(self.of)}")


class Mix:
    """Σ w_i r_i. The parts are not normalized: the weights account for their units."""

    name = "mix"

    def __init__(self, parts: Mapping[str, tuple[float, LoadedReward]]):
        self.parts = dict(parts)
        self.differentiable = all(r.differentiable for _, r in self.parts.values())

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B,)."""
        scores = [weight * reward(images, prompt) for weight, reward in self.parts.values()]
        return sum(scores[1:], start=scores[0])

    def digest(self) -> str:
        return " + ".join(f"{w:g} {n} ({r.digest()})" for n, (w, r) in self.parts.items())

    def cut(self, prompt: str) -> int:
        """The most tokens that one of its parts does not read."""
        return max(reward.cut(prompt) for _, reward in self.parts.values())
