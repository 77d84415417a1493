"""Draft Best-of-N: the initial noise whose cheap draft scores best is sampled in full.

After Flash-BoN (arXiv 2607.04461), of which only the abstract was at hand. Of each particle's n
candidates for x_T a few-step solver makes a draft from that very noise. The reward chooses among
the drafts, and the target solver starts from the noise behind the best one. Candidate 0 is
vanilla's noise. To deliver drafts themselves is ``best_of_lookahead``. The target solver must be
deterministic, for x_T to decide the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from methods.base import Steer
from methods.efr.lookahead import annotated, few_steps
from methods.finals import Finals
from methods.resampling import best
from methods.sample import Run
from methods.settings import whole


@dataclass(frozen=True)
class DraftBestOfN(Steer):
    """``n`` >= 1 drafts by ``solver`` in ``steps`` δ >= 1 steps, for each particle.

    Other steers act in the full run alone. Per particle n·δ posterior means, n decodes and n
    rewards, beside all that sampling costs.
    """

    spoils = frozenset({"start"})
    n: int = 16
    solver: str = "dpm"
    steps: int = 5

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        whole("steps", self.steps, 1)

    @property
    def requires(self) -> frozenset[str]:
        solver = {"deterministic", "continuous"} if self.n > 1 else set()
        return frozenset({"start"} | solver)

    def sample(self, run: Run) -> Finals:
        problem = run.problem
        drafted = replace(
            problem, candidates=problem.candidates * self.n, first=problem.first * self.n
        )
        noise = drafted.initial(run.particles * self.n)
        with problem.phase("denoise"), torch.no_grad():
            drafts = few_steps(drafted, noise, self.solver, self.steps, purpose="draft_solver")
            _, rewards = annotated(drafted, drafts, drafted.owners(len(drafts)))
        return run(run.initial(noise[best(rewards, self.n)]))
