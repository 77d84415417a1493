"""Search: of each image's M children keep one, by the value at x_t.

SVDD (Li et al., arXiv 2408.08252): at every step one child in proportion to exp(V), the
soft-optimal policy; CoDe (Singh et al., arXiv 2502.00968): the best child, every B steps. The M
particles of an image are the children of the one that was kept; they part by the solver's noise, so
the target solver must be stochastic. The children's posterior means are the next step's: M denoiser
calls a step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Memory, Steer
from methods.finals import Finals
from methods.problem import Problem
from methods.resampling import informative, multinomial
from methods.settings import one_of, whole
from methods.state import Step
from methods.transfer import over

PICKS = ("sample", "best")
LAST = -1  # the ledger's step of the last choice


def chosen(problem: Problem, values: Tensor, n: int, pick: str, step: int) -> Tensor | None:
    """Of every n neighbours the index of the one kept, (B/n,); the first where all are equal.

    None where no group's values tell its members apart. Raises FloatingPointError on values that
    are not finite.
    """
    groups = values.detach().double().cpu().reshape(-1, n)
    if not torch.isfinite(groups).all():
        raise FloatingPointError("the values to choose among particles by are not finite")
    picked = torch.zeros(len(groups), dtype=torch.long)
    telling = [group for group, log_w in enumerate(groups) if informative(log_w)]
    for group in telling:
        if pick == "best":
            picked[group] = groups[group].argmax()
        else:
            uniform = problem.noise.uniform(1, "search", problem.block(group, n), step)
            picked[group] = multinomial(torch.softmax(groups[group], dim=0), uniform)[0]
    return over(torch.arange(len(groups)) * n + picked, values.device) if telling else None


@dataclass(frozen=True)
class Search(Steer):
    """``n`` M >= 1 children of each image's particle, one kept every ``every`` >= 1 steps.

    ``pick``: "sample" in proportion to exp(V), or "best". The last choice is among finished
    samples, by their reward. All that sampling costs, M times; per choice and child one value of
    the estimator, at the end a decode and a reward.
    """

    spoils = frozenset({"selection"})
    n: int = 4
    every: int = 1
    pick: str = "sample"
    efr: str | None = None

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        whole("every", self.every, 1)
        one_of("pick", self.pick, PICKS)

    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"value", "selection"} | ({"stochastic"} if self.n > 1 else set()))

    @property
    def candidates(self) -> int:
        return self.n

    @property
    def population(self) -> int:
        return self.n

    def select(self, step: Step, memory: Memory) -> Tensor | None:
        last = step.index == step.steps - 1  # the finished samples decide instead
        if step.index == 0 or last or step.index % self.every:
            return None
        kept = chosen(step.problem, step.value(self.efr), self.n, self.pick, step.index)
        return None if kept is None else kept.repeat_interleave(self.n)

    def finish(self, finals: Finals, memory: Memory) -> Finals:
        kept = chosen(finals.problem, finals.value(self.efr), self.n, self.pick, LAST)
        if kept is None:
            kept = torch.arange(0, len(finals.latents), self.n, device=finals.latents.device)
        return finals.select(kept)
