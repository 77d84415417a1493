"""DNO: direct noise optimisation (Tang et al., arXiv 2405.18881).

Gradient ascent on all the noise that a sample is made of, x_T and the solver's z_t, through the
sampling process, recomputed step by step on the way back:

    z ← AdamW(z, ∇_z [r(x_0(z)) + γ log P(z)])

P is the probability regulariser, as in the official code: how likely Gaussian noise is to have a
mean and a covariance as far from 0 and 1 as z has. With z cut into m vectors of k numbers,

    log p_1 = −m ‖mean‖² / 2k,    log p_2 = −m max(√(1 + ‖cov − 1‖) − 1 − √(k/m), 0)² / 2,

each capped at −log 2. Their sum is taken for z itself, plus its mean over random permutations of z.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Steer
from methods.finals import Finals
from methods.gradients import derivative, lengths
from methods.potentials import log_probability
from methods.problem import Problem
from methods.sample import Run
from methods.settings import at_least, whole
from methods.transfer import over


@dataclass(frozen=True)
class Dno(Steer):
    """``iterations`` >= 0 of torch's AdamW (weight decay 0.01) with ``rate`` >= 0 and each sample's
    gradient clipped to norm 1.

    ``regularizer`` γ >= 0, over vectors of ``width`` k numbers and ``shuffles`` permutations (the
    official code takes 100). Per iteration and image all that sampling costs, twice forward and
    once backward, and a decode and a reward forward and backward; then one sampling more.
    """

    requires = frozenset({"derivative", "start", "alone"})
    iterations: int = 50
    rate: float = 0.01
    regularizer: float = 1.0
    width: int = 4
    shuffles: int = 10

    def __post_init__(self) -> None:
        whole("iterations", self.iterations, 0)
        whole("width", self.width, 1)
        whole("shuffles", self.shuffles, 0)
        at_least("rate", self.rate, 0)
        at_least("regularizer", self.regularizer, 0)

    def sample(self, run: Run) -> Finals:
        problem, first, solver = run.problem, run.problem.initial(run.particles), run.solver()
        drawn = range(len(solver.levels) if solver.stochastic else 0)
        draws = [problem.normal_like(first, "solver", k) for k in drawn]
        z = torch.stack([first, *draws]).requires_grad_()
        if self.regularizer > 0 and self.width > z[:, 0].numel():
            raise ValueError(f"dno: width must be at most {z[:, 0].numel()}, got {self.width}")
        optimizer = torch.optim.AdamW([z], lr=self.rate)
        for number in range(self.iterations):
            with problem.phase("denoise"), torch.enable_grad():
                total = problem.score(run.latents(solver.initial(z[0]), z[1:])).sum()
                if self.regularizer > 0:
                    total = total + self.regularizer * self.likely(problem, z, number).sum()
                ascent = derivative(total, z)
            norm = lengths(ascent.transpose(0, 1)).transpose(0, 1)
            z.grad = -ascent / norm.clamp(min=1.0)
            optimizer.step()
        return run(solver.initial(z[0].detach()), noise=z[1:].detach())

    def likely(self, problem: Problem, z: Tensor, number: int) -> Tensor:
        """log P, (B,), of each sample's noise z (1 + steps, B, …); under an ODE x_T is all."""
        flat = z.transpose(0, 1).flatten(1)
        found = log_probability(flat, self.width)
        for shuffle in range(self.shuffles):
            seed = int(2**31 * problem.noise.uniform(1, "shuffle", number, shuffle))
            generator = torch.Generator().manual_seed(seed)
            order = over(torch.randperm(flat.shape[1], generator=generator), z.device)
            found = found + log_probability(flat[:, order], self.width) / self.shuffles
        return found
