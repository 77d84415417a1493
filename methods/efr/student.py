"""Look-ahead by a distilled student: V(x_t) = λ r(x̂_0), x̂_0 = student(x_t) its jump from x_t.

A consistency model or a flow map jumps to the end of the probability-flow ODE, or nearly, where a
posterior mean is a blur: the value is that of something that may be delivered. It is one sample of
x_0 and no expectation over p(x_0 | x_t), and its gradient by x_t does not vanish towards pure noise
as ∇V does, so that (σ²/α) ∇V grows without bound where α → 0.

Flow map trajectory tilting (FMTT, arXiv 2511.22688) therefore tilts by r_t(x) = t r(X_{t,1}(x)),
with t = 1 at the data: ``ramp``. Its t is α/(α + σ) of any path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from methods.base import Estimator
from methods.interfaces import CLEAN, Level
from methods.path import damped
from methods.posterior import descent
from methods.problem import Problem
from methods.settings import at_least, whole
from methods.state import Step


def check_student(where: str, solver: str | None) -> None:
    """Raise ValueError where there is no student."""
    if not isinstance(solver, str):
        raise ValueError(
            f"{where} must name the solver of a distilled denoiser, and this backbone has none: "
            f"choose one that has, such as miniature, sdxl or mixture; got {solver!r}"
        )


def jumps(student: Problem, x: Tensor, levels: Sequence[Level], noise: Tensor | None) -> Tensor:
    """A student's own way from x (B, …) down ``levels``, of which the last is clean: jump to the
    end, return to the next level and jump again.

    Consistency models return by renoising, with ``noise`` (k, B, …); without noise along the ODE.
    """
    for j, (start, end) in enumerate(pairwise(levels)):
        x0 = student.backbone.posterior_mean(x, start, student.condition)
        if end.sigma == 0:
            return x0
        if noise is None:
            x = student.kernel.step(x, x0, start, end, None, 0.0)
        else:
            x = student.kernel.renoise(x0, CLEAN, end, noise[j])
    raise AssertionError("the levels end clean")


@dataclass(frozen=True)
class StudentEstimator(Estimator):
    """The student of ``solver`` jumps ``steps`` k >= 1 times, as the solver does: with fresh noise
    between if it is stochastic. λ = ``scale`` >= 0; ``ramp`` multiplies it by α/(α + σ);
    ``damping`` s >= 0 lowers it as for a Gaussian prior (``methods.path.damped``).

    Per value: k calls of the student, a decode and a reward; per shift these forward and backward.
    """

    solver: str | None = "lcm"
    steps: int = 1
    scale: float = 10.0
    ramp: bool = False
    damping: float = 0.0

    def __post_init__(self) -> None:
        check_student("solver", self.solver)
        whole("steps", self.steps, 1)
        at_least("scale", self.scale, 0)
        at_least("damping", self.damping, 0)

    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"derivative", "jump", "condition", "continuous"})

    def prepare(self, problem: Problem) -> Problem:
        """The problem under the student."""
        return problem.under(str(self.solver))

    def value(self, step: Step, ready: Problem) -> Tensor:
        level = step.level
        levels = descent(ready.backbone, level, self.steps)
        noise = None
        if self.steps > 1 and ready.backbone.solver(str(self.solver), self.steps).stochastic:
            drawn = step.normal((self.steps, *step.x.shape[1:]), "student", self)
            noise = drawn.transpose(0, 1)
        share = level.alpha / (level.alpha + level.sigma) if self.ramp else 1.0
        scale = share * damped(self.scale, self.damping, level)
        return scale * step.problem.score(jumps(ready, step.x, levels, noise))
