"""Rollover budget forcing (Kim et al., arXiv 2503.19385, section 6, and its official code).

At every step children are drawn one at a time. The first whose value is above the best value that
was ever met is gone on from, and what is left of the step's quota is added to the next one's. A
step that uses up its quota goes on from its best child. The last choice takes whatever is left of
the budget. Quotas are a τ-th of it, for τ steps. Sampling starts from the best of several initial
noises, and ends at the chosen child's posterior mean, if the target solver does.

It searches for reward, and what it samples is no known tilted distribution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.finals import Finals
from methods.sample import Run
from methods.settings import whole
from methods.state import Step, posterior_mean
from methods.steer.search import chosen
from methods.transfer import over

START = -1  # the ledger's step of the choice among starts


def beats(values: Tensor, others: Tensor) -> Tensor:
    """Whether values (B,) are above others, which may be −∞, beyond rounding."""
    return values - others > 1e-9 * (1 + values.abs())


@dataclass(frozen=True)
class Rbf(Steer):
    """``budget`` >= τ: how many starts and children may be valued for each particle, and one for
    the start that is chosen; ``starts`` >= 1: how many initial noises to choose from.

    With an estimator that looks at the posterior mean alone (tweedie) ``budget`` is the number of
    posterior means, all told: those of the children that are gone on from serve again. As many
    decodes and rewards. Diagnostics "children": at each step, how many each particle had.
    """

    requires = frozenset({"value", "stochastic", "selection", "start", "ahead"})
    spoils = frozenset({"selection", "density", "start"})
    budget: int = 250
    starts: int = 25
    efr: str | None = None

    def __post_init__(self) -> None:
        whole("budget", self.budget, 1)
        whole("starts", self.starts, 1)

    @property
    def children(self) -> int:
        """How many children a particle has in all."""
        return self.budget - 1 - (self.starts if self.starts > 1 else 0)

    def share(self, steps: int) -> int:
        """A step's own quota."""
        return max(1, self.children // steps)

    def sample(self, run: Run) -> Finals | None:
        if self.starts == 1:
            return None
        problem = run.problem
        candidates, first = problem.candidates * self.starts, problem.first * self.starts
        wide = replace(run, problem=replace(problem, candidates=candidates, first=first))
        with problem.phase("denoise"), torch.no_grad():
            x = run.initial(wide.problem.initial(run.particles * self.starts))
            values = wide.step(x).value(self.efr)
            kept = chosen(wide.problem, values, self.starts, "best", START)
        return run(x[:: self.starts] if kept is None else x[kept])

    def begin(self, run: Run) -> Memory:
        steps, particles = len(run.levels), run.particles
        least = self.budget - self.children + steps - 1
        if self.budget < least:
            raise ValueError(
                f"rbf.budget must be at least {least}, one child at each of {steps} steps but the "
                f"last, got {self.budget}"
            )
        return {
            "best": torch.full((particles,), float("-inf"), dtype=torch.float64),
            "quota": torch.full((particles,), self.share(steps)),
            "left": torch.full((particles,), self.children),
        }

    def after(self, step: Step, memory: Memory) -> Step | None:
        if step.noise is None or step.index >= step.steps - 1:
            return None
        if step.index == step.visit == 0:
            memory["best"] = step.value(self.efr).detach().double().cpu()
        final = step.index == step.steps - 2
        limit = memory["left"] if final else torch.minimum(memory["quota"], memory["left"])
        noise, mean, tried = self.found(step, memory["best"], limit, final)
        memory["left"] = memory["left"] - tried
        memory["quota"] = self.share(step.steps) + limit - tried
        step.info.setdefault("children", []).append(tried.tolist())
        ahead = step.ahead(noise)
        if mean is not None:
            ahead.known[posterior_mean] = mean
        return ahead

    def found(
        self, step: Step, best: Tensor, limit: Tensor, final: bool
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Of every particle the noise of the child to go on from, its posterior mean (None where it
        was not looked at), and how many children were tried.

        ``best`` (B,) is raised to the best value met; ``limit`` (B,): the most children.
        """
        assert step.noise is not None
        noise, mean = step.noise.clone(), torch.zeros_like(step.x0)
        here = torch.full_like(best, float("-inf"))
        tried = torch.zeros_like(limit)
        looked = bool((limit > 0).all())
        of = (limit > 0).nonzero().flatten()
        while len(of):
            child = int(tried[of[0]])
            fresh = step.problem.normal_like(step.x, "child", *step.key, child)
            drawn = (fresh if child else step.noise)[over(of, step.x.device)]
            ahead = step.ahead(drawn, of, child)
            values = ahead.value(self.efr).detach().double().cpu()
            if not torch.isfinite(values).all():
                raise FloatingPointError("the values to choose among children by are not finite")
            tried[of] += 1
            better, accepted = beats(values, here[of]), beats(values, best[of])
            here[of[better]], best[of[accepted]] = values[better], values[accepted]
            rows = better.nonzero().flatten()
            places, rows = over(of[rows], step.x.device), over(rows, step.x.device)
            noise[places] = drawn[rows]
            looked = looked and posterior_mean in ahead.known
            if looked:
                mean[places] = ahead.x0[rows].detach()
            of = of[(tried[of] < limit[of]) & (final | ~accepted)]
        return noise, mean if looked else None, tried
