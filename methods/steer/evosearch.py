"""EvoSearch: evolution of the initial noise and of noisy latents (He et al., arXiv 2505.17618, and
its official code).

A population is sampled to the end, and its states at the steps of a schedule are remembered with
the rewards that they led to. At each step of the schedule a new generation is made of all states
remembered there: the elites as they are, and children of parents that won a tournament, the best
of nine in ten drawn at random. A child of an initial noise is √(1 − μ²) x_T + μ ε, one of a later
state x_t + σ_t ε with σ_t the noise of the solver's step. The generation is sampled to the end from
there. The best of everything finished is delivered.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.base import Steer
from methods.finals import Finals
from methods.problem import Problem
from methods.resampling import best
from methods.sample import Run
from methods.settings import at_least, whole
from methods.state import Step
from methods.steer.noise_search import neighbors
from methods.transfer import over

SHARE = 0.9  # of the states, that take part in a tournament


def winners(rewards: Tensor, uniform: Tensor) -> Tensor:
    """The state that wins each tournament, (T,): the best of those drawn by ``uniform`` (T, P)."""
    entrants = uniform.argsort(dim=1)[:, : max(1, int(SHARE * len(rewards)))]
    return entrants.gather(1, rewards[entrants].argmax(dim=1, keepdim=True)).squeeze(1)


@dataclass(frozen=True)
class EvoSearch(Steer):
    """Generations at ``schedule``, rising shares of all steps; ``sizes``: how many samples of a
    delivered image the first population and each later generation has.

    ``elites`` >= 0 of a generation; ``mutation`` μ in [0, 1]. The target solver is stochastic. The
    first population costs all that sampling costs, a generation the steps from its place on; each
    sample a decode and a reward.
    """

    requires = frozenset({"stochastic", "ancestral", "start", "selection", "pick"})
    spoils = frozenset({"start", "selection", "pick"})
    schedule: tuple[float, ...] = (0.0, 0.4, 0.6, 0.8)
    sizes: tuple[int, ...] = (8, 4, 4, 4, 4)
    elites: int = 1
    mutation: float = 0.2

    def __post_init__(self) -> None:
        for share in self.schedule:
            at_least("schedule: each", share, 0)
        if list(self.schedule) != sorted(set(self.schedule)) or max(self.schedule, default=0) >= 1:
            raise ValueError(f"schedule must rise and end below 1, got {list(self.schedule)}")
        for size in self.sizes:
            whole("sizes: each", size, 1)
        if len(self.sizes) != len(self.schedule) + 1:
            raise ValueError(
                f"sizes must have one number more than schedule, got {len(self.sizes)} and "
                f"{len(self.schedule)}"
            )
        whole("elites", self.elites, 0)
        if self.elites > min(self.sizes):
            raise ValueError(f"elites must be at most {min(self.sizes)}, got {self.elites}")
        at_least("mutation", self.mutation, 0)
        if self.mutation > 1:
            raise ValueError(f"mutation must be in [0, 1], got {self.mutation}")

    @property
    def candidates(self) -> int:
        return self.sizes[0]

    def places(self, steps: int) -> list[int]:
        """The steps of the schedule. Raises ValueError where two fall on one."""
        places = [round(share * steps) for share in self.schedule]
        if len(set(places)) < len(places) or max(places, default=0) >= steps:
            raise ValueError(
                f"evosearch.schedule {list(self.schedule)} needs more than {steps} steps"
            )
        return places

    def sample(self, run: Run) -> Finals:
        problem, images = run.problem, run.problem.images
        places = self.places(len(run.levels))
        x, first = run.initial(problem.initial(run.particles)), 0
        kept: Finals | None = None
        states: dict[int, list[Tensor]] = {place: [] for place in places}
        rewards: list[Tensor] = []
        for number, size in enumerate(self.sizes):
            part = self.generation(problem, size)
            seen: dict[int, Tensor] = {}

            def watch(step: Step, seen: dict[int, Tensor] = seen) -> None:
                if step.index in states:
                    seen[step.index] = step.x
                if run.observe is not None:
                    run.observe(step)

            purpose = f"solver {number}" if number else "solver"
            one = replace(run, problem=part, observe=watch)
            finals = one(x, first, scored=True, purpose=purpose)
            chosen = finals.select(best(finals.rewards(), size))
            kept = chosen if kept is None else kept.better(chosen)
            if number == len(places):
                break
            rewards.append(finals.rewards().detach().cpu().reshape(images, size))
            for place in places[number:]:
                states[place].append(seen[place].reshape(images, size, *x.shape[1:]))
            first = places[number]
            pool = torch.cat(states.pop(first), dim=1)
            x = self.children(run, pool, torch.cat(rewards, dim=1), first, number)
        assert kept is not None
        return kept

    def generation(self, problem: Problem, size: int) -> Problem:
        """The problem of a generation of so many samples of each image."""
        first = problem.first // problem.candidates * size
        return replace(problem, candidates=size, first=first)

    def children(self, run: Run, pool: Tensor, rewards: Tensor, place: int, number: int) -> Tensor:
        """The next generation (images·size, …) at a place, from ``pool`` (images, P, …)."""
        problem, size = run.problem, self.sizes[number + 1]
        picked = [
            self.picked(problem, row, problem.block(image, problem.candidates), number, size)
            for image, row in enumerate(rewards)
        ]
        index = over(torch.stack(picked), pool.device)
        rows = torch.arange(len(pool), device=pool.device).unsqueeze(1)
        x = pool[rows, index].flatten(0, 1)
        fresh = self.generation(problem, size).normal_like(x, "mutation", number)
        if place == 0:
            moved = neighbors(x, fresh, self.mutation)
        else:
            moved = x + run.solver().transition(place)[1] * fresh
        elite = torch.arange(size, device=x.device).repeat(len(pool)) < self.elites
        return torch.where(elite.reshape(-1, *[1] * (x.ndim - 1)), x, moved)

    def picked(
        self, problem: Problem, rewards: Tensor, image: int, number: int, size: int
    ) -> Tensor:
        """Of one image's states the elites, and then the parents, (size,)."""
        elites = rewards.argsort(descending=True, stable=True)[: self.elites]
        count, states = size - self.elites, len(rewards)
        uniform = problem.noise.uniform(count * states, "tournament", image, number)
        parents = winners(rewards, uniform.reshape(count, states))
        return torch.cat([elites, parents])
