"""Zero-order search over the initial noise (Ma et al., arXiv 2501.09732, section 3.2).

Each delivered image keeps the best noise so far, its pivot. A round denoises N neighbours of it,

    x_T' = √(1 − ρ²) x_T + ρ ε,

scores them and moves the pivot if one is better. The neighbours keep the norm and the law of
Gaussian noise. In the first round they are N independent draws, the first of them vanilla's.
The target solver must be deterministic, as in the paper, for x_T to decide the sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from methods.interfaces import Estimator, Problem
from methods.loop import draw, initial_noise
from methods.settings import at_least, whole
from methods.steer.base import NoSteer, Plain
from methods.steer.best_of_n import best
from methods.steering import Course, Finals, Run, Setup
from methods.transfer import onto


def neighbors(pivot: Tensor, fresh: Tensor, radius: float) -> Tensor:
    """√(1 − ρ²) x + ρ ε."""
    return (1 - radius**2) ** 0.5 * pivot + radius * fresh


def joined(first: Finals, second: Finals) -> Finals:
    return Finals(
        first.problem,
        torch.cat([first.latents, second.latents]),
        torch.cat([first.images(), second.images()]),
        torch.cat([first.rewards(), second.rewards()]),
    )


@dataclass(frozen=True)
class NoiseSearchSettings(Plain):
    """``rounds`` >= 1 of ``n`` >= 1 trajectories per delivered image; ``radius`` ρ in [0, 1].

    All that sampling costs, n·rounds times, and as many decodes and rewards. One round is
    Best-of-N.
    """

    label: ClassVar[str] = "noise_search"
    order: ClassVar[int] = 1
    starts: ClassVar[bool] = True
    scores: ClassVar[bool] = True
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
    def candidates(self) -> int:  # type: ignore[override]
        return self.n

    def check(self, setup: Setup) -> None:
        if setup.particles != setup.images * self.n:
            raise ValueError(
                "method.steer.noise_search picks among an image's candidates by itself: drop "
                "best_of_n and search"
            )
        if "smc" in setup.labels:
            raise ValueError(
                "method.steer.noise_search cannot stand beside smc, whose samples do not belong to "
                "one initial noise each"
            )
        if setup.stochastic and self.rounds > 1:
            raise ValueError(
                "method.steer.noise_search needs a deterministic target solver (such as ddim): a "
                "stochastic one overrules the initial noise; or rounds=1, which is best_of_n"
            )

    def begin(self, problem: Problem, estimators: Mapping[str, Estimator], run: Run) -> Finals:
        particles = problem.images * self.n
        noise = initial_noise(problem, particles, self.n)
        finals = run(run.initial(noise))
        chosen = best(finals.rewards(), self.n)
        pivot, kept = noise[chosen], finals.select(chosen)
        for number in range(1, self.rounds):
            fresh = draw(problem.noise, noise.shape[1:], particles, self.n, "neighbor", number)
            fresh = onto(fresh, noise)
            noise = neighbors(pivot.repeat_interleave(self.n, dim=0), fresh, self.radius)
            finals = run(run.initial(noise))
            chosen = best(finals.rewards(), self.n)
            better = finals.rewards()[chosen] > kept.rewards()
            pivot = torch.where(better.reshape(-1, *[1] * (pivot.ndim - 1)), noise[chosen], pivot)
            index = torch.arange(problem.images, device=better.device)
            both = joined(kept, finals.select(chosen))
            kept = both.select(index + problem.images * better)
        return kept

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> NoSteer:
        return NoSteer()

    def course(self, course: Course) -> Course:
        return replace(course, runs=course.runs * self.rounds)
