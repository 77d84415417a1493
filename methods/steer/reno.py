"""ReNO: reward-based noise optimisation (Eyring et al., arXiv 2406.04312, equations 2 to 4).

The noise z that a one-step student starts from climbs the reward of what the student makes of it:

    loss(z) = −λ r(student(z)) + γ (½‖z‖² − (d − 1) log ‖z‖),    z ← Nesterov SGD(z, ∇loss)

The second term is the negative log likelihood of Gaussian noise having that norm, up to a constant.
Of all samples that were made on the way the one with the highest reward is delivered.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Steer
from methods.efr.student import check_student
from methods.finals import Finals
from methods.gradients import derivative, lengths
from methods.loop import denoise
from methods.problem import Problem
from methods.sample import Run
from methods.seen import Scored
from methods.settings import at_least, whole

MOMENTUM = 0.9  # of the official code, of which the paper says nothing


def norm_loss(z: Tensor) -> Tensor:
    """½‖z‖² − (d − 1) log ‖z‖ of each z (B, …), least at ‖z‖² = d − 1."""
    norm = z.flatten(1).norm(dim=1)
    return norm.square() / 2 - (z[0].numel() - 1) * norm.log()


@dataclass(frozen=True)
class Reno(Steer):
    """``iterations`` >= 1 samples of ``steps`` steps of the student that ``solver`` names, which
    take the place of the target solver; its own noise stays the same.

    λ = ``scale`` >= 0 weighs the reward against γ = ``regularizer`` >= 0; ``rate`` >= 0 of
    Nesterov's SGD with momentum 0.9, each sample's gradient clipped to norm ``clip`` >= 0.

    Per iteration and image ``steps`` posterior means of the student, a decode and a reward; all but
    the last iteration both ways, with the posterior means of several steps twice forward.
    """

    requires = frozenset({"derivative", "start", "alone"})
    solver: str | None = "lcm"
    steps: int = 1
    iterations: int = 50
    scale: float = 1.0
    regularizer: float = 0.01
    rate: float = 5.0
    clip: float = 0.1

    def __post_init__(self) -> None:
        check_student("solver", self.solver)
        whole("steps", self.steps, 1)
        whole("iterations", self.iterations, 1)
        for key in ("scale", "regularizer", "rate", "clip"):
            at_least(key, getattr(self, key), 0)

    def sample(self, run: Run) -> Finals:
        problem = run.problem.under(str(self.solver))
        z = problem.initial(run.particles).requires_grad_()
        optimizer = torch.optim.SGD([z], lr=self.rate, momentum=MOMENTUM, nesterov=True)
        best: Scored | None = None
        for left in reversed(range(self.iterations)):
            with problem.phase("denoise"), torch.set_grad_enabled(left > 0):
                made = Finals(problem, self.made(problem, z))
                found = Scored(made.latents, made.images(), made.rewards())
                if left:
                    loss = self.regularizer * norm_loss(z) - self.scale * found.rewards
                    slope = derivative(loss.sum(), z)
                    z.grad = slope * (self.clip / (lengths(slope) + 1e-6)).clamp(max=1.0)
                    optimizer.step()
            found = found.settled()
            best = found if best is None else best.or_better(found)
        assert best is not None  # there is one iteration or more
        return Finals(problem, best.latents, best.images, best.rewards)

    def made(self, problem: Problem, z: Tensor) -> Tensor:
        """The student's samples from noise z, with a graph to z where gradients are enabled."""
        solver = problem.backbone.solver(str(self.solver), self.steps)
        return denoise(problem, solver, solver.initial(z), graph=torch.is_grad_enabled())
