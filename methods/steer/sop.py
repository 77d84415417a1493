"""Search over paths (Ma et al., arXiv 2501.09732, section 3.3).

N initial noises are solved down to t/T = ``start``. Then, round by round, each is noised up by Δf
in M ways, solved down again by Δb > Δf, and of the N·M the N of the highest value are kept. When
the rounds arrive at clean samples, the best one is delivered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import torch

from methods.base import Steer
from methods.finals import Finals
from methods.interfaces import Level
from methods.loop import denoise
from methods.resampling import best
from methods.sample import Run
from methods.settings import ROUNDING, above, whole


@dataclass(frozen=True)
class Sop(Steer):
    """``n`` N >= 1 paths of a delivered image, each continued in ``m`` M >= 1 ways a round.

    ``start``, ``up`` Δf and ``down`` Δb are shares of t/T, brought to the target solver's first
    levels at or below them. The target solver is deterministic, as in the paper. Each round's N·M
    paths cost the solver's steps from top to bottom and one value at the bottom; those of the last
    a decode and a reward.
    """

    requires = frozenset({"value", "deterministic", "continuous", "alone"})
    n: int = 2
    m: int = 2
    start: float = 0.12
    up: float = 0.78
    down: float = 0.81
    efr: str | None = None

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        whole("m", self.m, 1)
        above("start", self.start, 0)
        above("up", self.up, 0)
        above("down", self.down, self.up)
        if self.start + self.up > 1:
            raise ValueError(f"start + up must be at most 1, got {self.start} + {self.up}")

    @property
    def candidates(self) -> int:
        return self.n * self.m

    def rounds(self, levels: Sequence[Level]) -> list[tuple[int, int]]:
        """(top, bottom) of each round, as positions among ``levels``, the end's last."""

        def position(share: float) -> int:
            return next(k for k, level in enumerate(levels) if level.fraction <= share + ROUNDING)

        fall = self.down - self.up
        shares = [self.start - k * fall for k in range(ceil(self.start / fall - ROUNDING))]
        return [(position(s + self.up), position(max(s - fall, 0.0))) for s in shares]

    def sample(self, run: Run) -> Finals:
        problem, solver = run.problem, run.solver()
        levels = [*solver.levels, solver.end]
        first = problem.first // problem.candidates * self.n
        few = replace(problem, candidates=self.n, first=first)
        here = next(k for k, e in enumerate(levels) if e.fraction <= self.start + ROUNDING)
        rounds = self.rounds(levels)
        with problem.phase("denoise"), torch.no_grad():
            x = run.initial(few.initial(problem.images * self.n))
            x = denoise(few, run.solver(), x, last=here, observe=run.observe)
            for number, (top, bottom) in enumerate(rounds):
                if top >= here:
                    raise ValueError(f"sop.up {self.up} reaches no level above t/T {self.start}")
                x = x.repeat_interleave(self.m, dim=0)
                fresh = problem.normal_like(x, "upward", number)
                x = problem.kernel.renoise(x, levels[here], levels[top], fresh)
                x = denoise(problem, run.solver(), x, first=top, last=bottom, observe=run.observe)
                here = bottom
                if number + 1 < len(rounds):
                    values = run.step(x, here).value(self.efr).reshape(problem.images, -1)
                    order = values.argsort(dim=1, descending=True, stable=True)[:, : self.n]
                    offset = torch.arange(problem.images, device=order.device) * self.candidates
                    x = x[(order + offset.unsqueeze(1)).flatten()]
        finals = Finals(problem, x, info=run.info, prepared=run.prepared)
        with problem.phase("decode"), torch.no_grad():
            return finals.select(best(finals.rewards(), self.candidates))
