"""A method: how V is estimated, and what is done with the estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from methods.interfaces import EstimatorSettings, Problem
from methods.price import Calls, scored
from methods.steering import Course, SteerSettings


@dataclass(frozen=True)
class Method:
    """A named pair (or more): how V is estimated, and what is done with the estimates.

    ``steps_factor`` multiplies the target solver's steps (the compute-matched vanilla control).
    Raises ValueError for a factor below 1, for two steers that both choose the start, and for
    steers out of order: first those that keep every particle, then search, then best_of_n.
    """

    name: str
    estimators: Mapping[str, EstimatorSettings] = field(default_factory=dict)
    steers: Sequence[SteerSettings] = ()
    steps_factor: int = 1

    def __post_init__(self) -> None:
        if self.steps_factor < 1:
            raise ValueError(f"steps_factor must be >= 1, got {self.steps_factor}")
        if sum(s.starts for s in self.steers) > 1:
            raise ValueError("method.steer: only one steer can choose what sampling starts from")
        orders = [s.order for s in self.steers]
        if orders != sorted(orders):
            raise ValueError(
                "method.steer: the steers that keep every particle come first, then search or "
                f"noise_search, then best_of_n; got {', '.join(s.label for s in self.steers)}"
            )

    @property
    def candidates(self) -> int:
        """Particles per delivered image."""
        return prod(s.candidates for s in self.steers)

    @property
    def joint(self) -> bool:
        """Whether a prompt's images must be sampled together."""
        return any(s.joint(self.candidates) for s in self.steers)

    @property
    def differentiates(self) -> bool:
        """Whether sampling keeps a graph, whose size grows with the images sampled together."""
        return any(s.needs_gradient(self.estimators) for s in self.steers)

    def price(self, problem: Problem) -> Calls:
        """The calls that sampling ``problem`` must cost, by the formulas of its parts."""
        particles = problem.images * self.candidates
        steps = problem.steps * self.steps_factor
        levels = problem.backbone.solver(problem.solver, steps).levels
        course = Course(problem, self.estimators, particles, levels, steps)
        for settings in self.steers:
            course = settings.course(course)
        means = particles * len(course.levels) * problem.condition.evaluations
        once = Calls(denoiser=means)
        for settings in self.steers:
            once += settings.price(course)
        if any(s.scores for s in self.steers):
            once += scored(particles)
        elif not course.decoded:
            once += Calls(decode=problem.images)
        prepared = [e.price(problem).prepare for e in self.estimators.values()]
        return sum(prepared, start=once * course.runs)
