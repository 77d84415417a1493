"""Search: of each image's M children keep one, by the value at x_t.

SVDD (Li et al., arXiv 2408.08252): at every step one child in proportion to exp(V), the
soft-optimal policy; CoDe (Singh et al., arXiv 2502.00968): the best child, every B steps. The M
particles of an image are the children of the one that was kept; they part by the solver's noise, so
the target solver must be stochastic. The children's posterior means are the next step's: M denoiser
calls a step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.interfaces import Estimator, Problem
from methods.price import Calls
from methods.resampling import informative, multinomial
from methods.settings import one_of, whole
from methods.steer.base import Choice, NoSteer
from methods.steering import Course, Finals, Setup, State

PICKS = ("sample", "best")
LAST = -1  # the ledger's step of the last choice


@dataclass
class Search(NoSteer):
    estimator: Estimator
    problem: Problem
    settings: SearchSettings

    def _chosen(self, values: Tensor, step: int) -> Tensor:
        """Of every n neighbours the index of the one kept; the first where all are equal."""
        n = self.settings.n
        groups = values.detach().double().cpu().reshape(-1, n)
        picked = torch.zeros(len(groups), dtype=torch.long)
        for group, log_w in enumerate(groups):
            if not informative(log_w):
                continue
            if self.settings.pick == "best":
                picked[group] = log_w.argmax()
            else:
                uniform = self.problem.noise.uniform(1, "search", group, step)
                picked[group] = multinomial(torch.softmax(log_w, dim=0), uniform)[0]
        return (torch.arange(len(groups)) * n + picked).to(values.device)

    def select(self, state: State) -> Tensor | None:
        last = state.step == state.steps - 1  # the finished samples decide instead
        if state.step == 0 or last or state.step % self.settings.every:
            return None
        values = self.estimator.value(state.x, state.level, state.x0, state.step)
        groups = values.reshape(-1, self.settings.n).double()
        if not any(informative(group) for group in groups):
            return None
        return self._chosen(values, state.step).repeat_interleave(self.settings.n)

    def finish(self, finals: Finals) -> Finals:
        return finals.select(self._chosen(self.estimator.scale * finals.rewards(), LAST))


@dataclass(frozen=True)
class SearchSettings(Choice):
    """``n`` M >= 1 children of each image's particle, one kept every ``every`` >= 1 steps.

    ``pick``: "sample" in proportion to exp(V), or "best". The last choice is among finished
    samples, by their reward. All that sampling costs, M times; per choice and child one value of
    the estimator, at the end a decode and a reward.
    """

    label: ClassVar[str] = "search"
    order: ClassVar[int] = 1
    scores: ClassVar[bool] = True
    n: int = 4
    every: int = 1
    pick: str = "sample"
    efr: str | None = None

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        whole("every", self.every, 1)
        one_of("pick", self.pick, PICKS)

    @property
    def candidates(self) -> int:  # type: ignore[override]
        return self.n

    def check(self, setup: Setup) -> None:
        self.chosen(setup.estimators)
        if "smc" in setup.labels:
            raise ValueError("method.steer.search and smc both tilt by the reward: choose one")
        if not setup.stochastic and self.n > 1:
            raise ValueError(
                "method.steer.search needs a stochastic target solver (such as ddpm): with a "
                "deterministic one the children of a particle are equal"
            )

    def joint(self, candidates: int) -> bool:
        return self.n != candidates

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Search:
        return Search(self.chosen(estimators), problem, self)

    def price(self, course: Course) -> Calls:
        steps = range(max(course.first, 1), course.steps - 1)
        choices = sum(step % self.every == 0 for step in steps)
        return self.chosen(course.estimators).price(course.problem).value * (
            course.particles * choices
        )
