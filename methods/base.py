"""What a method is made of: the class that every estimator extends, and the one of every steer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor

from methods.gradients import derivative
from methods.interfaces import Condition, Level
from methods.settings import within

if TYPE_CHECKING:
    from methods.finals import Finals
    from methods.problem import Problem
    from methods.sample import Run
    from methods.state import Step

Memory = dict[str, Tensor]


class Estimator:
    """An estimate of the expected future reward V(x_t) = log E[exp(λ r(x_0, c)) | x_t].

    Extend it by a frozen dataclass whose fields are the settings, λ = ``scale`` among them, and
    define ``value``. What is needed once per prompt is done in ``prepare``; ``value`` and ``shift``
    receive its result as ``ready``.

    ``requires``: what an estimator needs of its surroundings, in the words of ``methods.needs``.
    "derivative" and "graph" (the reward is differentiated, through the denoiser; "jump": through a
    distilled one) count where its shift is asked for. ``offers`` "samples": its ``ready`` has
    lookahead samples.
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

        By default the gradient of ``value`` by autograd, through the denoiser. Zero at α = 0,
        where the gradient by x_t vanishes and the formula is 0/0: the true shift is not zero there,
        and gradient estimators miss that one step.
        """
        if step.level.alpha == 0:
            return torch.zeros_like(step.x)
        slope = derivative(step.once(self.value, ready).sum(), step.x, retain=step.shared)
        return step.level.sigma**2 / step.level.alpha * slope


class Steer:
    """What a sampler does with estimates of the expected future reward.

    Extend it by a frozen dataclass whose fields are the settings, and override what the method
    does. A steer that uses an estimator requires "value" or "shift" and has a field ``efr``: the
    estimator's name, None for the only one there is.

    ``requires``, ``spoils``: what it needs, and what it takes from every other steer, in the words
    of ``methods.needs``. ``candidates``: particles per delivered image. ``population``: how many
    neighbouring particles it chooses among, None for all of a prompt's. Each may be a plain class
    attribute, or a property where it depends on the settings.

    ``condition`` and ``shift`` may be asked for some particles at a time, where the method
    differentiates (``Problem.graph``): each particle's answer is its own.

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
        """Whether ``shift`` has something to say at this level.

        By default where the setting ``scale`` is above 0 and t/T lies in ``interval``, (low, high],
        if the steer has these settings.
        """
        span = getattr(self, "interval", (-1.0, 1.0))
        return getattr(self, "scale", 1.0) > 0 and within(span, level)

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
        """Ancestors (B,) int64 of a resampling, or None to keep every particle.

        Asked at a level's last visit. ``step.condition`` is still the one before the resampling.
        """
        return None

    def after(self, step: Step, memory: Memory) -> Step | None:
        """The solver steps from here with ``step.noise``, x̄_0 moved by ``step.moved``.

        Return one of ``step.ahead`` to go on from there instead: a noise of the steer's choice.
        """
        return None

    def finish(self, finals: Finals, memory: Memory) -> Finals:
        """The clean samples to go on with: a last resampling, the best of several, all."""
        return finals
