"""The contract of a steer: what a sampler does with estimates of the expected future reward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor

from methods.interfaces import (
    Condition,
    Estimator,
    EstimatorSettings,
    Level,
    Problem,
    Solver,
)
from methods.price import Calls


@dataclass(frozen=True)
class State:
    """Where the loop stands: particles x_t before solver step ``step``, and E[x_0 | x_t]."""

    x: Tensor
    x0: Tensor
    level: Level
    step: int
    steps: int


class Finals:
    """Clean latents at the end of sampling, decoded and scored at most once each."""

    def __init__(
        self,
        problem: Problem,
        latents: Tensor,
        images: Tensor | None = None,
        rewards: Tensor | None = None,
    ):
        self.problem, self.latents = problem, latents
        self._images, self._rewards = images, rewards

    def images(self) -> Tensor:
        if self._images is None:
            self._images = self.problem.backbone.decode(self.latents)
        return self._images

    def rewards(self) -> Tensor:
        if self._rewards is None:
            self._rewards = self.problem.score_images(self.images())
        return self._rewards

    def select(self, index: Tensor) -> Finals:
        def picked(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[index]

        return Finals(
            self.problem, self.latents[index], picked(self._images), picked(self._rewards)
        )


class Run(Protocol):
    """The target solver's steered loop, to be run from noise of a steer's choosing."""

    levels: Sequence[Level]
    particles: int

    def initial(self, noise: Tensor) -> Tensor:
        """x_T from standard normal noise."""

    def __call__(self, x: Tensor, first: int = 0) -> Finals:
        """From particles x at level ``first`` to clean samples, every steer at work."""


class Steer(Protocol):
    """One prompt's steer. ``methods.steer.base.NoSteer`` has every hook at its neutral value."""

    def condition(self, x: Tensor, level: Level, step: int, condition: Condition) -> Condition:
        """The condition to denoise x_t with."""

    def needs_gradient(self, level: Level) -> bool:
        """Whether ``shift`` at this level differentiates through the posterior mean."""

    def shift(self, state: State) -> Tensor | None:
        """What to add to the posterior mean, (B, …), or None."""

    def recurrences(self, level: Level) -> int:
        """How often to step down and be noised up again before the step that counts."""

    def select(self, state: State) -> Tensor | None:
        """Ancestors (B,) int64 of a resampling, or None to keep every particle."""

    def follow(self, ancestors: Tensor) -> None:
        """Another steer has resampled: particle i becomes particle ancestors[i]."""

    def stepped(self, state: State, shift: Tensor | None, noise: Tensor, solver: Solver) -> None:
        """``solver`` has taken a stochastic step from ``state`` with this total shift and noise."""

    def finish(self, finals: Finals) -> Finals:
        """The clean samples to go on with: a last resampling, the best of several, all."""

    def info(self) -> Mapping[str, Any]:
        """Diagnostics, plain numbers and lists."""


@dataclass(frozen=True)
class Setup:
    """What is known before any sampling, for settings to check themselves against.

    ``steers`` are all of the method's; ``stochastic``: whether the target solver is.
    """

    estimators: Mapping[str, EstimatorSettings]
    images: int
    particles: int
    steers: Sequence[SteerSettings]
    stochastic: bool

    @property
    def labels(self) -> list[str]:
        return [steer.label for steer in self.steers]


@dataclass(frozen=True)
class Course:
    """What is run to sample ``problem``: ``runs`` times from step ``first`` of ``steps``.

    ``levels`` has one for each pass. ``valued``: (estimator, t/T) at which guidance leaves the
    value known. ``decoded``: what is delivered has been decoded already.
    """

    problem: Problem
    estimators: Mapping[str, EstimatorSettings]
    particles: int
    levels: Sequence[Level]
    steps: int
    first: int = 0
    runs: int = 1
    valued: frozenset[tuple[str, float]] = frozenset()
    decoded: bool = False

    def at(self, step: int) -> Level:
        """The level of a step that is run."""
        distinct = dict.fromkeys(self.levels)
        return list(distinct)[step - self.first]


class SteerSettings(Protocol):
    """Settings of a steer; ``candidates`` particles are run for each delivered image.

    ``label``: its name. ``starts``: it chooses what the loop starts from. ``scores``: it scores the
    finished samples. ``keeps``: it delivers an estimator's decoded samples. ``order``: 0 if it
    keeps every particle, 1 if it picks among an image's candidates, 2 if it picks among what
    others picked; a method's steers come in this order. ``methods.steer.base.Plain`` has every
    method at its neutral value.
    """

    @property
    def label(self) -> str: ...

    @property
    def order(self) -> int: ...

    @property
    def candidates(self) -> int: ...

    @property
    def starts(self) -> bool: ...

    @property
    def scores(self) -> bool: ...

    @property
    def keeps(self) -> bool: ...

    def check(self, setup: Setup) -> None:
        """Raise ValueError, before any sampling, where the settings do not fit together."""

    def joint(self, candidates: int) -> bool:
        """Whether a prompt's images must be sampled together, ``candidates`` particles each."""

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        """Whether the reward must be differentiable."""

    def begin(
        self, problem: Problem, estimators: Mapping[str, Estimator], run: Run
    ) -> Finals | None:
        """The samples to deliver, where the steer starts the loop itself; else None."""

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Steer: ...

    def course(self, course: Course) -> Course:
        """What is run with this steer where ``course`` is run without."""

    def price(self, course: Course) -> Calls:
        """The calls that this steer adds to one run of the loop."""


Observer = Callable[[State], None]


@dataclass(frozen=True)
class Sampled:
    """What a method delivers: clean latents (images, …), their decoded images, diagnostics."""

    latents: Tensor
    images: Tensor
    info: Mapping[str, Any] = field(default_factory=dict)
