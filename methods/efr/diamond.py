"""Weighted diamond maps: V(x_t) by n jumps of a student from noisier copies of x_t.

A deterministic student makes samples of x_0 behind x_t if it starts from above (Holderrieth et al.,
arXiv 2602.05993). At a noisier level t', of σ'/α' = √snr σ/α,

    x'_k = a x_t + c ε_k,    a = α'/α,    c² = σ'² − a² σ²,    x̂_k = student(x'_k).

The flow carries p_{t'} to p_0, so that x̂_k has the density q(x'_k | x_t) p_0(x̂_k)/p_{t'}(x'_k), and
samples of p(x_0 | x_t) ∝ p_0(x_0) N(x_t; α x_0, σ²) are weighed by exp(l_k),

    l_k = −‖x_t − α x̂_k‖²/(2σ²) + log p_{t'}(x'_k) + ½ ‖ε_k‖²,
    V(x_t) = log Σ_k exp(λ r_k + l_k) − log Σ_k exp(l_k).

log p_{t'} is followed along the line from a x_t to x'_k, by the trapezoidal rule over ``nodes``
intervals of the denoiser's score s_{t'}. The shift is (σ²/α) ∇V, with p = softmax(λ r + l) and
q = softmax(l), the derivatives going through the student:

    Σ_k (p − q)_k x̂_k + (σ²/α) Σ_k p_k ∇λr_k + (p − q)_k (∇l_k by x̂_k + a s_{t'}(x'_k)).

With an exact student both are exact as n and ``nodes`` grow. At pure noise nothing is noisier, and
x'_k is drawn anew: a = 0, which is LiDAR's lookahead.

The paper's recipe, the default of the official code, is ``weights`` "reward". It does not converge
to V, whatever n: w = softmax(r) of the bare rewards, each sum is given unit norm, and the shift is
(σ²/α) times

    unit(Σ w ∇λr) + unit(Σ w ∇log N(x_t; α x̂_k, σ²)) + unit(Σ w (a s_{t'}(x'_k) − s_t(x_t))).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.base import Estimator
from methods.efr.student import check_student
from methods.gradients import derivative, lengths
from methods.interfaces import Backbone, Level
from methods.path import noising_std, slope_of_shift
from methods.potentials import log_mean_exp
from methods.problem import Problem
from methods.settings import at_least, one_of, whole
from methods.state import Step

WEIGHTS = ("posterior", "reward")
HALVINGS = 30  # of the interval in which the noisier level is looked for
CLEAREST = 1e-3  # the α below which all is noise

Found = tuple[Tensor, ...]


def noisier(backbone: Backbone, level: Level, snr: float) -> Level:
    """The level with α²/σ² divided by ``snr``, or the noisiest there is."""
    low, high = level.fraction, 1.0
    for _ in range(HALVINGS):
        middle = backbone.level((low + high) / 2)
        if middle.sigma * level.alpha < snr**0.5 * level.sigma * middle.alpha:
            low = (low + high) / 2
        else:
            high = (low + high) / 2
    return backbone.level(high)


def proposal(low: Level, high: Level) -> tuple[float, float]:
    """(a, c) of x' = a x_t + c ε at the noisier level ``high``."""
    if low.alpha < CLEAREST or high.fraction <= low.fraction:
        return 0.0, (high.alpha**2 + high.sigma**2) ** 0.5
    return high.alpha / low.alpha, noising_std(low, high)


@dataclass(frozen=True)
class DiamondEstimator(Estimator):
    """``n`` >= 1 jumps of the student of ``solver``, from ``snr`` > 1 times less signal to noise;
    ``nodes`` >= 1; λ = ``scale`` >= 0; ``weights`` "posterior" or "reward".

    Per value: n jumps, n·nodes + 1 posterior means, n decodes and rewards; per shift the jumps,
    decodes and rewards forward and backward, by "reward" the jumps twice backward.
    """

    n: int = 4
    solver: str | None = "lcm"
    snr: float = 20.0
    nodes: int = 1
    weights: str = "posterior"
    scale: float = 10.0

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        check_student("solver", self.solver)
        at_least("snr", self.snr, 1)
        whole("nodes", self.nodes, 1)
        one_of("weights", self.weights, WEIGHTS)
        at_least("scale", self.scale, 0)

    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"derivative", "jump", "condition", "continuous"})

    def prepare(self, problem: Problem) -> Problem:
        """The problem under the student."""
        return problem.under(str(self.solver))

    def value(self, step: Step, ready: Problem) -> Tensor:
        _, rewards, near, density, _ = step.once(self.particles, ready)
        if self.weights == "reward":
            return log_mean_exp(self.scale * rewards)
        weights = near + density
        return (self.scale * rewards + weights).logsumexp(1) - weights.logsumexp(1)

    def shift(self, step: Step, ready: Problem) -> Tensor:
        ends, rewards, near, density, slopes = step.once(self.particles, ready)
        level, total = step.level, self.scale * rewards
        if self.weights == "reward":
            return self._normalised(step, total, near, slopes, torch.softmax(rewards.detach(), 1))
        low = near.detach() + density
        tilted = torch.softmax(total.detach() + low, 1)
        apart = tilted - torch.softmax(low, 1)
        along = torch.einsum("bk,bk...->b...", apart, slopes)
        slope = derivative((tilted * total + apart * near).sum(), step.x, retain=step.shared)
        direct = torch.einsum("bk,bk...->b...", apart, ends.detach())
        steep = level.sigma**2 / level.alpha if level.alpha >= CLEAREST else 0.0
        return direct + steep * (slope + along)

    def _normalised(
        self, step: Step, total: Tensor, near: Tensor, slopes: Tensor, weights: Tensor
    ) -> Tensor:
        """The official recipe, of which σ/α is bounded."""
        alpha, sigma = step.level.alpha, step.level.sigma
        score = (alpha * step.x0 - step.x).detach() / sigma**2
        x, ends = step.x.detach(), step.known[self.particles][0].detach()
        likely = alpha * torch.einsum("bk,bk...->b...", weights, ends) - x
        terms = (
            derivative((weights * total).sum(), step.x, retain=True),
            derivative((weights * near).sum(), step.x, retain=step.shared) + likely / sigma**2,
            torch.einsum("bk,bk...->b...", weights, slopes) - score,
        )
        units = [term / lengths(term).clamp(min=1e-8) for term in terms]
        return slope_of_shift(step.level) * torch.stack(units).sum(0)

    def particles(self, step: Step, student: Problem) -> Found:
        """Of n noisier copies of each particle: the ends x̂ (B, n, …), r (B, n) and
        log N(x_t; α x̂, σ²) with its graph by x̂ alone, log p_{t'}(x') + ½‖ε‖², and a s_{t'}(x')."""
        n, x, level, shape = self.n, step.x, step.level, (len(step.x), self.n)
        high = noisier(student.backbone, level, self.snr)
        a, c = proposal(level, high)
        noise = step.normal((n, *x.shape[1:]), "diamond", self)
        raised = (a * x.unsqueeze(1) + c * noise).flatten(0, 1)
        ends = student.backbone.posterior_mean(raised, high, student.condition)
        rewards = step.problem.score(ends).reshape(shape)
        ends = ends.reshape(*shape, *x.shape[1:])
        gap = x.detach().unsqueeze(1) - level.alpha * ends
        near = -gap.flatten(2).square().sum(2) / (2 * level.sigma**2)
        density, score = self._density(step, high, a * x.detach(), c * noise)
        density = density + noise.flatten(2).square().sum(2) / 2
        return ends, rewards.to(near), near, density, a * score

    @torch.no_grad()
    def _density(
        self, step: Step, high: Level, base: Tensor, moves: Tensor
    ) -> tuple[Tensor, Tensor]:
        """log p_{t'}(base + move) − log p_{t'}(base), (B, n), and s_{t'} there, (B, n, …)."""
        problem, n = step.problem, moves.shape[1]

        def score(x: Tensor) -> Tensor:
            mean = problem.backbone.posterior_mean(x, high, problem.condition)
            return (high.alpha * mean - x) / high.sigma**2

        here = score(base).unsqueeze(1)
        total = here / 2
        for k in range(1, self.nodes + 1):
            at = base.unsqueeze(1) + k / self.nodes * moves
            here = score(at.flatten(0, 1)).reshape(len(base), n, *base.shape[1:])
            total = total + here / (2 if k == self.nodes else 1)
        return (total / self.nodes * moves).flatten(2).sum(2), here
