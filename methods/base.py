"""What a method is made of: the class that every estimator extends, and the one of every steer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from methods.gradients import derivative
from methods.interfaces import Condition, Level

if TYPE_CHECKING:
    from methods.problem import Problem
    from methods.sample import Run
    from methods.state import Finals, Step

Memory = dict[str, Tensor]


class Estimator:
    """An estimate of the expected future reward V(x_t) = log E[exp(λ r(x_0, c)) | x_t].

    Extend it by a frozen dataclass whose fields are the settings, λ = ``scale`` among them, and
    define ``value``. What is drawn or scored once a prompt belongs into ``prepare``, whose answer
    ``value`` and ``shift`` read as ``ready``.

    ``requires``: what an estimator needs of its surroundings, in the words of ``methods.needs``.
    "derivative" and "graph" (the reward is differentiated, through the denoiser) count where its
    shift is asked for. ``offers`` "samples": its ``ready`` has lookahead samples.
    """

    offers: ClassVar[frozenset[str]] = frozenset()
    scale: float

    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"derivative", "graph"})

    def prepare(self, problem: Problem) -> Any:
        """Whatever is needed at every step; called once a prompt, before the loop."""
        return None

    def value(self, step: Step, ready: Any) -> Tensor:
        """V(x_t), (B,)."""
        raise NotImplementedError(f"{type(self).__name__} defines no value")

    def shift(self, step: Step, ready: Any) -> Tensor:
        """Tilted posterior mean less posterior mean, (σ²/α) ∇V(x_t), (B, …) like x.

        As it stands: by autograd from ``value``, through the denoiser. Zero at α = 0, where x_t
        says nothing of x_0.
        """
        if step.level.alpha == 0:
            return torch.zeros_like(step.x)
        slope = derivative(step.once(self.value, ready).sum(), step.x)
        return step.level.sigma**2 / step.level.alpha * slope


class Steer:
    """What a sampler does with estimates of the expected future reward.

    Extend it by a frozen dataclass whose fields are the settings, and override what the method
    does. A steer that uses an estimator has a field ``efr``: the estimator's name, None for the
    only one there is.

    ``requires``, ``spoils``: what it needs, and what it takes from every other steer, in the words
    of ``methods.needs``. ``candidates``: particles per delivered image. ``population``: how many
    neighbouring particles it chooses among, None for all of a prompt's. Each may be a plain class
    attribute, or a property where it depends on the settings.

    Of its hooks ``memory`` is what ``begin`` returned: named tensors whose first axis is the
    particles. A hook may replace them; the loop lets them follow a resampling.
    """

    efr: str | None = None

    @property
    def requires(self) -> frozenset[str]:
        return frozenset()

    @property
    def spoils(self) -> frozenset[str]:
        return frozenset()

    @property
    def candidates(self) -> int:
        return 1

    @property
    def population(self) -> int | None:
        return 1

    def check(self, estimators: Mapping[str, Estimator], particles: int) -> None:
        """Raise ValueError where the settings do not fit the ``estimators`` that the steer asks, or
        a prompt's number of particles."""

    def active(self, level: Level) -> bool:
        """Whether ``shift`` has something to say at this level."""
        return True

    def sample(self, run: Run) -> Finals | None:
        """What is delivered, where the steer runs the loop by itself (any number of times)."""
        return None

    def begin(self, run: Run) -> Memory:
        """The memory at the beginning of a run."""
        return {}

    def route(self, route: Sequence[int], levels: Sequence[Level]) -> list[int]:
        """The positions to visit: ``route`` with this steer's detours.

        From k to k + 1 is a solver step, to a smaller number a renoising. ``levels`` are the
        solver's, with the one that it ends at last.
        """
        return list(route)

    def condition(self, step: Step, memory: Memory) -> Condition:
        """The condition to denoise x_t with."""
        return step.condition

    def shift(self, step: Step, memory: Memory) -> Tensor | None:
        """What to add to the posterior mean, (B, …), or None."""
        return None

    def select(self, step: Step, memory: Memory) -> Tensor | None:
        """Ancestors (B,) int64 of a resampling, or None to keep every particle."""
        return None

    def after(self, step: Step, memory: Memory) -> None:
        """The solver steps from here with ``step.noise``, x̄_0 moved by ``step.moved``."""

    def finish(self, finals: Finals, memory: Memory) -> Finals:
        """The clean samples to go on with: a last resampling, the best of several, all."""
        return finals
