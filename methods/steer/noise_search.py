"""Zero-order search over the initial noise (Ma et al., arXiv 2501.09732, section 3.2).

Each delivered image keeps the best noise so far, its pivot. A round denoises N neighbours of it,

    x_T' = √(1 − ρ²) x_T + ρ ε,

scores them and moves the pivot if one is better. The neighbours keep the norm and the law of
Gaussian noise. In the first round they are N independent draws, the first of them vanilla's.
The target solver must be deterministic, as in the paper, for x_T to decide the sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Steer
from methods.finals import Finals
from methods.resampling import best
from methods.sample import Run
from methods.settings import at_least, whole


def neighbors(pivot: Tensor, fresh: Tensor, radius: float) -> Tensor:
    """√(1 − ρ²) x + ρ ε."""
    return (1 - radius**2) ** 0.5 * pivot + radius * fresh


@dataclass(frozen=True)
class NoiseSearch(Steer):
    """``rounds`` >= 1 of ``n`` >= 1 trajectories per delivered image; ``radius`` ρ in [0, 1].

    All that sampling costs, n·rounds times, and as many decodes and rewards. One round is
    Best-of-N.
    """

    spoils = frozenset({"start", "selection", "pick"})
    n: int = 4
    rounds: int = 4
    radius: float = 0.3

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        whole("rounds", self.rounds, 1)
        at_least("radius", self.radius, 0)
        if self.radius > 1:
            raise ValueError(f"radius must be in [0, 1], got {self.radius}")

    @property
    def requires(self) -> frozenset[str]:
        solver = {"deterministic", "continuous"} if self.rounds > 1 else set()
        return frozenset({"start", "selection", "pick"} | solver)

    @property
    def candidates(self) -> int:
        return self.n

    def sample(self, run: Run) -> Finals:
        problem, particles = run.problem, run.particles
        noise = problem.initial(particles)
        finals = run(run.initial(noise), scored=True)
        chosen = best(finals.rewards(), self.n)
        pivot, kept = noise[chosen], finals.select(chosen)
        for number in range(1, self.rounds):
            fresh = problem.normal_like(noise, "neighbor", number)
            noise = neighbors(pivot.repeat_interleave(self.n, dim=0), fresh, self.radius)
            finals = run(run.initial(noise), scored=True)
            chosen = best(finals.rewards(), self.n)
            better = finals.rewards()[chosen] > kept.rewards()
            pivot = torch.where(better.reshape(-1, *[1] * (pivot.ndim - 1)), noise[chosen], pivot)
            kept = kept.better(finals.select(chosen))
        return kept
