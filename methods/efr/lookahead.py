"""Lookahead (LiDAR, "forward rollout"; arXiv 2602.03211, section 3.2).

The prior is approximated by n samples x̂_0^i ~ q(x_0 | c) of a cheap solver. With
d_i = ‖x_t − α x̂_0^i‖² / (2σ²),

    V(x_t)   = logsumexp_i(λ r_i − d_i) − logsumexp_i(−d_i)
    x̄_0^r − x̄_0 = Σ_i (softmax(λ r − d)_i − softmax(−d)_i) x̂_0^i  =  (σ²/α) ∇V(x_t).

No derivative of the reward, no further call of the denoiser: the samples and their rewards are
drawn once per prompt and serve every step and every image. Strings of tokens take the same formulas
(``methods.kernel``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from methods.base import Estimator
from methods.loop import denoise
from methods.problem import Problem
from methods.resampling import best
from methods.seen import Scored
from methods.settings import at_least, whole
from methods.state import Step
from methods.transfer import onto

PART = 64  # samples decoded and scored at a time


class Lookahead:
    """The estimate from given samples (n, …), their rewards (n,) and λ = ``scale`` >= 0.

    Everything that does not depend on x_t is made once: the samples less their mean, in float32 at
    least (λ = 5000 saturates a softmax in half precision), and their squared norms. A call then is
    two matrix products, (B, D) by (D, n) and (B, n) by (n, D): memory O(nD + Bn), and no (B, n, D).
    """

    def __init__(self, samples: Tensor, rewards: Tensor, scale: float):
        if samples.ndim < 2 or len(samples) == 0 or rewards.shape != (len(samples),):
            raise ValueError(
                "Lookahead takes samples (n, …) and rewards (n,) with n >= 1, got shapes "
                f"{tuple(samples.shape)} and {tuple(rewards.shape)}"
            )
        at_least("scale", scale, 0)
        self.samples, self.rewards, self.scale = samples, rewards, scale
        flat = samples.flatten(1).to(torch.promote_types(samples.dtype, torch.float32))
        self._mean = flat.mean(dim=0, keepdim=True)
        self._centered = flat - self._mean
        self._norms = self._centered.square().sum(dim=1)

    def _logits(self, x_t: Tensor, alpha: float, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
        """(λ r − d, −d) up to a constant per row, each (B, n), and the centered samples (n, D).

        Both sides are centered on the samples' mean and ‖x_t‖² is left out: neither changes the
        softmaxes, and what is subtracted stays small.
        """
        if sigma <= 0:
            raise ValueError(f"the lookahead estimate needs sigma > 0, got {sigma}")
        dtype = torch.promote_types(x_t.dtype, self._centered.dtype)
        mean, centered, norms, rewards = (
            tensor.to(x_t.device, dtype)
            for tensor in (self._mean, self._centered, self._norms, self.rewards)
        )
        x = x_t.flatten(1).to(dtype) - alpha * mean
        base = (x @ centered.T - norms * (alpha / 2)) * (alpha / sigma**2)
        return base + self.scale * (rewards - rewards.max()), base, centered

    def posterior_mean(self, x_t: Tensor, alpha: float, sigma: float) -> Tensor:
        """Σ_i softmax(−d)_i x̂_0^i, like x_t: E[x_0 | x_t] were the samples all there is."""
        _, base, centered = self._logits(x_t, alpha, sigma)
        mean = torch.softmax(base, dim=-1) @ centered + self._mean.to(centered)
        return mean.reshape(x_t.shape).to(x_t.dtype)

    def value(self, x_t: Tensor, alpha: float, sigma: float) -> Tensor:
        """V(x_t), (B,), in at least float32."""
        tilted, base, _ = self._logits(x_t, alpha, sigma)
        top = self.scale * self.rewards.max().to(tilted)
        return tilted.logsumexp(dim=-1) - base.logsumexp(dim=-1) + top

    def shift(self, x_t: Tensor, alpha: float, sigma: float) -> Tensor:
        """Tilted posterior mean minus posterior mean, like x_t."""
        tilted, base, centered = self._logits(x_t, alpha, sigma)
        difference = torch.softmax(tilted, dim=-1) - torch.softmax(base, dim=-1)
        return (difference @ centered).reshape(x_t.shape).to(x_t.dtype)


def annotated(
    problem: Problem, samples: Tensor, owners: Sequence[int] | None = None
) -> tuple[Tensor | None, Tensor]:
    """Decoded images, where they are to be kept, and rewards (n,) of clean latents (n, …).

    Some at a time: pictures are larger than latents, and n may be large. ``owners``: the image of
    each sample, None where they are the prompt's.
    """
    images, rewards = [], []
    for start in range(0, len(samples), PART):
        part = samples[start : start + PART]
        decoded = problem.backbone.decode(part)
        with problem.phase("annotate"):
            rewards.append(problem.score_images(decoded))
        if problem.seen is not None:
            scored = Scored(part, decoded, rewards[-1])
            if owners is None:
                problem.seen.share(scored)
            else:
                problem.seen.note(scored, owners[start : start + PART])
        if problem.keep:
            images.append(decoded)
    return torch.cat(images) if images else None, torch.cat(rewards)


def few_steps(
    problem: Problem,
    noise: Tensor,
    solver: str,
    steps: int,
    cfg: float | None = None,
    purpose: str = "lookahead_solver",
) -> Tensor:
    """Clean latents (n, …) of a cheap solver, from standard normal ``noise`` (n, …).

    The solver may use a distilled denoiser (``Backbone.under``), with the guidance weight ``cfg``,
    or the one that goes with that denoiser. Its own noise is drawn for ``purpose``.
    """
    own = problem.under(solver, cfg)
    run = own.backbone.solver(solver, steps)
    return denoise(own, run, run.initial(noise), purpose=purpose)


@dataclass(frozen=True)
class Drawn:
    """A prompt's lookahead samples behind their ``estimate``, and the samples decoded.

    ``images`` (n, …) is None where no steer delivers them, or only perturbed copies were decoded.
    """

    estimate: Lookahead
    images: Tensor | None = None


@dataclass(frozen=True)
class LookaheadEstimator(Estimator):
    """n samples by ``solver`` in ``steps`` δ steps with CFG weight ``cfg``; λ = ``scale``.

    The solver may use a distilled denoiser (``Backbone.under``). ``cfg`` null: the guidance weight
    of that denoiser. ``smoothing`` τ > 0 replaces each reward by its mean
    over ``draws`` copies of the sample perturbed by τ ε in latent space: a Gaussian-smoothed
    reward, less sensitive to details of a single sample.

    Per prompt: n·δ posterior means, n decodes and n rewards (n·draws of them under smoothing).
    """

    offers = frozenset({"samples", "images"})
    n: int = 50
    solver: str = "dpm"
    steps: int = 5
    cfg: float | None = None
    scale: float = 5000.0
    smoothing: float = 0.0
    draws: int = 4

    def __post_init__(self) -> None:
        whole("n", self.n, 1)
        whole("steps", self.steps, 1)
        at_least("scale", self.scale, 0)
        at_least("smoothing", self.smoothing, 0)
        whole("draws", self.draws, 1)
        if self.cfg is not None:
            at_least("cfg", self.cfg, 0)

    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"continuous"} if self.smoothing > 0 else ())

    def prepare(self, problem: Problem) -> Drawn:
        if problem.keep or problem.seen is not None:
            return self._drawn(*self._draw(problem))
        key = {"lookahead": {k: v for k, v in asdict(self).items() if k != "scale"}}
        return self._drawn(*problem.reuse(key, lambda: self._draw(problem)))

    def _drawn(self, samples: Tensor, rewards: Tensor, images: Tensor | None = None) -> Drawn:
        return Drawn(Lookahead(samples, rewards, self.scale), images)

    def _draw(self, problem: Problem) -> tuple[Tensor, ...]:
        """Samples and rewards, and the images where they are to be kept."""
        own = replace(problem, candidates=1)
        noise = own.initial(self.n, "lookahead")
        samples = few_steps(own, noise, self.solver, self.steps, self.cfg)
        if self.smoothing == 0:
            images, rewards = annotated(problem, samples)
            return (samples, rewards) if images is None else (samples, rewards, images)
        with problem.phase("annotate"):
            rewards = self._smoothed(problem, samples)
        return samples, rewards

    def value(self, step: Step, ready: Drawn) -> Tensor:
        return ready.estimate.value(step.x, step.level.alpha, step.level.sigma)

    def shift(self, step: Step, ready: Drawn) -> Tensor:
        return ready.estimate.shift(step.x, step.level.alpha, step.level.sigma)

    def _smoothed(self, problem: Problem, samples: Tensor) -> Tensor:
        shape = (self.draws, *samples.shape[1:])
        names = [(i,) for i in range(len(samples))]
        noise = problem.noise.stack(shape, "lookahead smoothing", names).flatten(0, 1)
        copies = samples.repeat_interleave(self.draws, dim=0)
        perturbed = copies + self.smoothing * onto(noise, samples)
        images = problem.backbone.decode(perturbed)
        rewards = problem.score_images(images)
        if problem.seen is not None:
            best_copies = best(rewards, self.draws)
            problem.seen.share(Scored(perturbed, images, rewards).at(best_copies))
        return rewards.reshape(len(samples), self.draws).mean(dim=1)
