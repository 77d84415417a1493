"""Embedding guidance: DATE, diffusion adaptive text embedding (Na et al., arXiv 2510.23974).

Every few steps the conditional embedding c of each sample climbs the reward of its posterior mean,

    c ← c + ρ g/‖g‖₂,    g = ∂/∂c [r(x̄_0(x_t, c)) − w · mean (c − c_prompt)²],

and stays there for later steps. The unconditional score is evaluated once a step, without a
gradient; the conditional score is evaluated again with the new c. A zero gradient moves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.gradients import derivative
from methods.interfaces import Condition, Estimator, EstimatorSettings, Level, Problem
from methods.price import Calls, scored
from methods.settings import at_least, whole
from methods.steer.base import NoSteer, Plain
from methods.steering import Course, Setup


def ascend(embedding: Tensor, gradient: Tensor, length: float) -> Tensor:
    """A step of this length along the gradient of each sample, (B, …); none along a zero one."""
    norm = gradient.flatten(1).norm(dim=1).reshape(-1, *[1] * (gradient.ndim - 1))
    # What is not finite passes on, for the end of the loop to see.
    return embedding + length * torch.where(norm == 0, 0.0, gradient / norm)


@dataclass
class Embedding(NoSteer):
    problem: Problem
    settings: EmbeddingSettings
    particles: int

    def __post_init__(self) -> None:
        given = self.problem.condition.embedding.detach()
        # Small steps add up in single precision; the denoiser takes them in its own.
        given = given.to(torch.promote_types(given.dtype, torch.float32))
        self.given = given.expand(self.particles, *given.shape[1:])
        self.current = self.given

    def condition(self, x: Tensor, level: Level, step: int, condition: Condition) -> Condition:
        if step % self.settings.every or self.settings.scale == 0:
            return condition.moved(self.current)
        backbone = self.problem.backbone
        with torch.no_grad():
            empty = backbone.unconditional(x, level, condition)
        for _ in range(self.settings.inner):
            with torch.enable_grad():
                c = self.current.detach().requires_grad_()
                mean = backbone.posterior_mean(x.detach(), level, condition.moved(c, empty))
                total = self.problem.score(mean).sum()
                total = (
                    total - self.settings.prior * (c - self.given).square().flatten(1).mean(1).sum()
                )
                gradient = derivative(total, c)
            base = self.given if self.settings.from_prompt else self.current
            self.current = ascend(base, gradient, self.settings.scale)
        return condition.moved(self.current, empty)

    def follow(self, ancestors: Tensor) -> None:
        self.current = self.current[ancestors]


@dataclass(frozen=True)
class EmbeddingSettings(Plain):
    """Step length ρ = ``scale`` >= 0, at every ``every``-th step, ``inner`` steps at a time.

    ``prior`` w >= 0 holds c near the prompt's; ``from_prompt``: start each ascent from the prompt's
    embedding instead of the last one. No λ: the gradient is normalised.

    Per update and particle: ``inner`` conditional denoiser samples forward and backward, as many
    decodes and rewards forward and backward, beside what the step costs anyway.
    """

    label: ClassVar[str] = "embedding"
    scale: float = 0.1
    every: int = 2
    inner: int = 1
    prior: float = 0.0
    from_prompt: bool = False

    def __post_init__(self) -> None:
        at_least("scale", self.scale, 0)
        whole("every", self.every, 1)
        whole("inner", self.inner, 1)
        at_least("prior", self.prior, 0)

    def check(self, setup: Setup) -> None:
        others = set(setup.labels) - {self.label, "best_of_n", "noise_search", "recurrence"}
        wrong = [
            name
            for name, estimator in setup.estimators.items()
            if estimator.conditional or (estimator.gradient and "guidance" in others)
        ]
        if others and wrong:
            raise ValueError(
                f"method.steer.embedding beside {', '.join(sorted(others))}: {', '.join(wrong)} "
                "knows nothing of the moved embedding; use lookahead, or tweedie with smc alone"
            )

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        return self.scale > 0

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Embedding:
        return Embedding(problem, self, particles)

    def price(self, course: Course) -> Calls:
        if self.scale == 0:
            return Calls()
        passes = Counter(level.fraction for level in course.levels).values()
        steps = enumerate(passes, start=course.first)
        updates = sum(count for step, count in steps if step % self.every == 0)
        ascent = Calls(denoiser=1, denoiser_backward=1) + scored(1, backward=True)
        return ascent * (course.particles * updates * self.inner)
