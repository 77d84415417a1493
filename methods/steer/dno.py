"""DNO: direct noise optimisation (Tang et al., arXiv 2405.18881).

Gradient ascent on all the noise that a sample is made of, x_T and the solver's z_t, through the
sampling process, recomputed step by step on the way back:

    z ← AdamW(z, ∇_z [r(x_0(z)) + γ log P(z)])

P is the probability regulariser, as in the official code: how likely Gaussian noise is to have a
mean and a covariance as far from 0 and 1 as z has. With z cut into m vectors of k numbers,

    log p_1 = −m ‖mean‖² / 2k,    log p_2 = −m max(√(1 + ‖cov − 1‖) − 1 − √(k/m), 0)² / 2,

each at most −log 2, for z as it is and on average over its permutations.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from methods.base import Steer
from methods.gradients import derivative
from methods.sample import Run
from methods.settings import at_least, whole
from methods.state import Finals
from methods.steer.guidance import lengths


def log_probability(z: Tensor, k: int) -> Tensor:
    """log p_1 + log p_2 of noise z (B, d), (B,), cut into ⌊d/k⌋ vectors of k numbers."""
    m = z.shape[1] // k
    vectors = z[:, : m * k].reshape(len(z), m, k)
    mean = vectors.mean(dim=1).square().sum(dim=1)
    gap = vectors.transpose(1, 2) @ vectors / m - torch.eye(k).to(z)
    spread = (1 + torch.linalg.matrix_norm(gap, ord=2)).sqrt() - 1 - (k / m) ** 0.5
    ways = torch.stack([-m * mean / (2 * k), -m * spread.clamp(min=0).square() / 2])
    return ways.clamp(max=-log(2)).sum(dim=0)


@dataclass(frozen=True)
class Dno(Steer):
    """``iterations`` >= 0 of AdamW with ``rate`` > 0 and each sample's gradient clipped to norm 1.

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
        problem, first = run.problem, run.problem.initial(run.particles)
        draws = [problem.normal_like(first, "solver", k) for k in range(len(run.levels))]
        z = torch.stack([first, *draws]).requires_grad_()
        optimizer = torch.optim.AdamW([z], lr=self.rate)
        for number in range(self.iterations):
            with problem.phase("denoise"), torch.enable_grad():
                total = problem.score(run.latents(run.initial(z[0]), z[1:])).sum()
                total = total + self.regularizer * self.likely(run, z, number).sum()
                ascent = derivative(total, z)
            norm = lengths(ascent.transpose(0, 1)).transpose(0, 1)
            z.grad = -ascent / norm.clamp(min=1.0)
            optimizer.step()
        return run(run.initial(z[0].detach()), noise=z[1:].detach())

    def likely(self, run: Run, z: Tensor, number: int) -> Tensor:
        """log P of each sample's noise z (steps + 1, B, …); under an ODE, of x_T alone."""
        flat = (z if run.solver().stochastic else z[:1]).transpose(0, 1).flatten(1)
        found = log_probability(flat, self.width)
        for shuffle in range(self.shuffles):
            seed = int(2**31 * run.problem.noise.uniform(1, "shuffle", number, shuffle))
            generator = torch.Generator().manual_seed(seed)
            order = torch.randperm(flat.shape[1], generator=generator).to(z.device)
            found = found + log_probability(flat[:, order], self.width) / self.shuffles
        return found
