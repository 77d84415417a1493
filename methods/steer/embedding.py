"""Embedding guidance: DATE, diffusion adaptive text embedding (Na et al., arXiv 2510.23974).

Every few steps the conditional embedding c of each sample climbs the reward of its posterior mean,

    c ← c + ρ g/‖g‖₂,    g = ∂/∂c [r(x̄_0(x_t, c)) − w · mean (c − c_prompt)²],

and stays there for later steps. The unconditional score is evaluated once a step, without a
gradient; the conditional score is evaluated again with the new c. A zero gradient moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.gradients import derivative
from methods.interfaces import Condition
from methods.problem import Problem
from methods.sample import Run
from methods.settings import at_least, whole
from methods.state import Step


def ascend(embedding: Tensor, gradient: Tensor, length: float) -> Tensor:
    """A step of this length along the gradient of each sample, (B, …); none along a zero one."""
    norm = gradient.flatten(1).norm(dim=1).reshape(-1, *[1] * (gradient.ndim - 1))
    # What is not finite passes on, for the end of the loop to see.
    return embedding + length * torch.where(norm == 0, 0.0, gradient / norm)


def prompted(problem: Problem, particles: int) -> Tensor:
    """The prompt's own embedding for each particle, in single precision at least.

    Small steps add up there; the denoiser takes them in its own type.
    """
    given = problem.condition.embedding.detach()
    given = given.to(torch.promote_types(given.dtype, torch.float32))
    return given.expand(particles, *given.shape[1:])


@dataclass(frozen=True)
class Embedding(Steer):
    """Step length ρ = ``scale`` >= 0, at every ``every``-th step, ``inner`` steps at a time.

    ``prior`` w >= 0 holds c near the prompt's; ``from_prompt``: start each ascent from the prompt's
    embedding instead of the last one. No λ: the gradient is normalised.

    Per update and particle: ``inner`` conditional denoiser samples forward and backward, as many
    decodes and rewards forward and backward, beside what the step costs anyway.
    """

    spoils = frozenset({"condition", "graph", "density"})
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

    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"derivative", "condition"} if self.scale > 0 else {"condition"})

    def begin(self, run: Run) -> Memory:
        return {"embedding": prompted(run.problem, run.particles)}

    def condition(self, step: Step, memory: Memory) -> Condition:
        if step.index % self.every or self.scale == 0:
            return step.condition.moved(memory["embedding"])
        backbone, level = step.problem.backbone, step.level
        given = prompted(step.problem, len(step.x))
        with torch.no_grad():
            empty = backbone.unconditional(step.x, level, step.condition)
        for _ in range(self.inner):
            with torch.enable_grad():
                c = memory["embedding"].detach().requires_grad_()
                moved = step.condition.moved(c, empty)
                mean = backbone.posterior_mean(step.x.detach(), level, moved)
                total = step.problem.score(mean).sum()
                total = total - self.prior * (c - given).square().flatten(1).mean(1).sum()
                gradient = derivative(total, c)
            base = given if self.from_prompt else memory["embedding"]
            memory["embedding"] = ascend(base, gradient, self.scale)
        return step.condition.moved(memory["embedding"], empty)
