"""FMRG: flow map reward guidance (Huang et al., arXiv 2604.27147).

The sample is drawn by a few-step student alone, whose jump x̂_0 from x_t to the clean end is both
what is scored and what is stepped with. With flow matching's x = (1 − t) x_0 + t ε, t′ the next
time and u = (x − x̂_0)/t the average velocity of the jump,

    J:  x′ = x − (t − t′)(u − s ‖u‖ g/‖g‖),          g = ∇_x r(x̂_0), through the student
    E:  x′ = x − (t − t′) u + t (1 − t′)(x̂_0* − x̂_0),    x̂_0* by n steps of Adam on x̂_0 itself

Any Gaussian path is brought to that one by x/(α + σ) and t = σ/(α + σ). Of ``starts`` particles
that have gone the first ``warmup`` steps the one whose jump scores best goes on. After ``guided``
steps the rest of the time is gone without guidance, in ``tail`` equal steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from torch import Tensor

from methods.base import Steer
from methods.efr.student import check_student
from methods.finals import Finals
from methods.gradients import derivative, lengths
from methods.interfaces import Level
from methods.path import ancestral_step, flow_time
from methods.posterior import descent
from methods.problem import Problem, located
from methods.resampling import best
from methods.sample import Run
from methods.settings import at_least, whole

Rewards = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Fmrg(Steer):
    """s = ``scale`` >= 0; ``through`` the student FMRG-J, else FMRG-E, with ``inner`` n >= 1 steps
    of Adam at the rate s (1 − k/(guided + 1)) in step k.

    FMRG-J with ``inner`` n >= 1 is what the official scripts run: there s ‖u‖ g/‖g‖ gives way to
    how far n steps of Adam on x go, for n = 1 the rate times the signs of g.

    ``solver``: the student's, which takes the place of the target solver. The times are the first
    ``guided`` + 1 of those that the target solver takes in ``grid`` steps, then ``tail`` more.
    ``starts`` >= 1 particles of each image go the first ``warmup`` steps; 1: no choice is made.

    Per guided step and particle FMRG-E takes a posterior mean of the student and n decodes and
    rewards both ways, FMRG-J all three both ways, max(n, 1) times. A particle is weighed by a
    posterior mean, a decode and a reward; the tail takes ``tail`` posterior means.
    """

    requires = frozenset({"derivative", "start", "alone"})
    solver: str | None = "lcm"
    scale: float = 3.0
    through: bool = True
    inner: int = 0
    grid: int = 32
    guided: int = 7
    tail: int = 2
    warmup: int = 4
    starts: int = 3

    def __post_init__(self) -> None:
        check_student("solver", self.solver)
        at_least("scale", self.scale, 0)
        whole("inner", self.inner, 0 if self.through else 1)
        for key, low in (("guided", 0), ("tail", 1), ("warmup", 0), ("starts", 1)):
            whole(key, getattr(self, key), low)
        whole("grid", self.grid, self.guided + 1)
        whole("guided", self.guided, self.warmup)
        if self.starts > 1:
            whole("warmup", self.warmup, 1)

    @property
    def candidates(self) -> int:
        return self.starts

    @property
    def population(self) -> int:
        return self.starts

    def sample(self, run: Run) -> Finals:
        problem = run.problem.under(str(self.solver))
        target = run.problem.backbone.solver(run.problem.solver, self.grid)
        levels = [*target.levels, target.end]
        with problem.phase("denoise"), torch.no_grad():
            x = target.initial(problem.initial(run.particles))
            x = self.steered(problem, x, levels[: self.warmup + 1])
            if self.starts > 1:
                x = x[best(problem.score(jump(problem, x, levels[self.warmup])), self.starts)]
                problem = replace(problem, candidates=1, first=problem.first // self.starts)
            x = self.steered(problem, x, levels[: self.guided + 1], self.warmup)
            for start, end in pairwise(descent(problem.backbone, levels[self.guided], self.tail)):
                x = ancestral_step(x, jump(problem, x, start), start, end, None, eta=0.0)
        return run.finished(x)

    def steered(
        self, problem: Problem, x: Tensor, levels: Sequence[Level], first: int = 0
    ) -> Tensor:
        """x (B, …) at the level ``first`` guided down to the last one, as many particles at a time
        as are to be differentiated together."""
        for index, (start, end) in list(enumerate(pairwise(levels)))[first:]:
            moved, seen = [], 0
            with located(f"at step {index} of {self.guided}"):
                for part in x.split(problem.graph or len(x)):
                    own = replace(problem, first=problem.first + seen, part=len(part))
                    moved.append(self.step(own, part, start, end, index))
                    seen += len(part)
            x = torch.cat(moved)
        return x

    def step(self, problem: Problem, x: Tensor, start: Level, end: Level, index: int) -> Tensor:
        here, there = (flow_time(level.alpha, level.sigma) for level in (start, end))
        length = start.alpha + start.sigma
        rate = self.scale * (1 - index / (self.guided + 1))
        z, jumps = x / length, []

        def ahead(z: Tensor) -> Tensor:
            mean = jump(problem, length * z, start)
            jumps.append(mean.detach())
            return problem.score(mean)

        if not self.through:
            jumps.append(jump(problem, x, start))
            weight = here**2 * (1 - there) / (here - there)
            moved = weight * self.climbed(problem.score, jumps[0], rate)
        elif self.inner:
            moved = here * self.climbed(ahead, z, rate)
        else:
            slope = ascent(ahead, z)
            norm = lengths(slope)
            direction = torch.where(norm == 0, 0.0, slope / norm)
            moved = self.scale * lengths(z - jumps[0]) * direction
        return ancestral_step(x, jumps[0] + moved, start, end, None, eta=0.0)

    def climbed(self, rewards: Rewards, start: Tensor, rate: float) -> Tensor:
        """How far n steps of Adam go."""
        at = start.detach().clone().requires_grad_()
        optimizer = torch.optim.Adam([at], lr=rate)
        for _ in range(self.inner):
            at.grad = -ascent(rewards, at)
            optimizer.step()
        return at.detach() - start


def ascent(rewards: Rewards, at: Tensor) -> Tensor:
    """The gradient of each sample's reward."""
    with torch.enable_grad():
        at = at.detach().requires_grad_()
        return derivative(rewards(at).sum(), at)


def jump(problem: Problem, x: Tensor, level: Level) -> Tensor:
    """The student's x̂_0 from x_t."""
    return problem.backbone.posterior_mean(x, level, problem.condition)
