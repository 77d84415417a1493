"""Best of lookahead: LiDAR's own best lookahead samples, delivered or taken for a start.

The sceptic's control: these samples are already drawn, scored and paid for before LiDAR's first
guided step. Whatever the target sampling adds must show against it. Delivered as they are, or
noised up to t and denoised again by the target solver, with whatever else steers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from methods.base import Estimator, Steer
from methods.finals import Finals
from methods.interfaces import CLEAN
from methods.sample import Run
from methods.settings import at_least, whole


@dataclass(frozen=True)
class BestOfLookahead(Steer):
    """Needs a lookahead estimator with at least as many samples as particles are run.

    ``renoise``: t/T in [0, 1] up to which the samples are noised and denoised again, from the
    first of the target solver's levels at or below it, or its last; 0 delivers them as they are.
    """

    spoils = frozenset({"start", "density"})
    population = None
    renoise: float = 0.0
    efr: str | None = None

    def __post_init__(self) -> None:
        at_least("renoise", self.renoise, 0)
        if self.renoise > 1:
            raise ValueError(f"renoise must be in [0, 1], got {self.renoise}")

    @property
    def requires(self) -> frozenset[str]:
        alone = {"images", "alone"} if self.renoise == 0 else set()
        return frozenset({"samples", "start"} | alone)

    def check(self, estimators: Mapping[str, Estimator], particles: int) -> None:
        for name, estimator in estimators.items():
            key = f"efr: n of {name} (particles are picked from its samples)"
            whole(key, getattr(estimator, "n", 0), particles)

    def sample(self, run: Run) -> Finals:
        drawn = run.prepared.ready[run.prepared.name(self.efr)]
        samples, rewards = drawn.estimate.samples, drawn.estimate.rewards
        order = rewards.argsort(descending=True, stable=True)[: run.particles]
        # Dealt out in turn, so that the first image does not get all of the best.
        order = order.reshape(-1, run.problem.images).T.flatten()
        if self.renoise == 0:
            return Finals(run.problem, samples, drawn.images, rewards).select(order)
        levels = run.levels
        floor = max(self.renoise, levels[-1].fraction)
        first = next(k for k, level in enumerate(levels) if level.fraction <= floor)
        noise = run.problem.initial(run.particles, "renoise").to(samples)
        x = run.problem.kernel.renoise(samples[order], CLEAN, levels[first], noise)
        return run(x, first)
