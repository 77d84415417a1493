"""The small contracts between a diffusion model, a reward, an estimator and a steer.

Everything is written in posterior-mean space: a Gaussian path x_t = α x_0 + σ ε and the model's
posterior mean x̄_0 = E[x_0 | x_t], so that one code serves ε-, x_0-, v- and flow-parameterised
models (LiDAR, arXiv 2602.03211, section 3). Shapes: B samples of a latent shape "…"; images are
(B, 3, H, W) in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Level:
    """A noise level: the model's time, the path's α and σ there, and t/T in [0, 1]."""

    t: float
    alpha: float
    sigma: float
    fraction: float


class Noise(Protocol):
    """The noise ledger's face: standard normal draws named by what they are for.

    ``noise(shape, purpose, *key)`` gives the same float32 tensor whenever it is asked for the
    same purpose and key, whatever was drawn before. For every method the initial noise of
    candidate j of delivered image i is ``("initial", i, j)``, and the solver's at step k
    ``("solver", i, j, k)``.
    """

    def __call__(self, shape: Sequence[int], purpose: str, *key: int) -> Tensor: ...

    def uniform(self, count: int, purpose: str, *key: int) -> Tensor: ...


class Solver(Protocol):
    """One trajectory of a numerical solver: its levels from noisy to clean, and its step.

    A solver may carry history (multistep methods), so each trajectory takes a fresh one.
    """

    @property
    def levels(self) -> Sequence[Level]: ...

    @property
    def stochastic(self) -> bool: ...

    def initial(self, noise: Tensor) -> Tensor:
        """x_T from standard normal noise."""

    def step(self, x0: Tensor, index: int, x: Tensor, noise: Tensor | None) -> Tensor:
        """From level ``index`` to the next: x_t and its (steered) posterior mean to x_s.

        ``noise`` is standard normal, like x; None where ``stochastic`` is false.
        """

    def select(self, ancestors: Tensor) -> None:
        """Let the history follow a resampling: particle i becomes particle ancestors[i]."""


class Backbone(Protocol):
    """A generative prior: its denoiser, decoder and solvers."""

    latent_shape: tuple[int, ...]
    device: torch.device

    def encode(self, prompt: str, guidance: float | None = None) -> Any:
        """The prompt's condition, with the classifier-free guidance weight to use with it."""

    def posterior_mean(self, x: Tensor, level: Level, condition: Any) -> Tensor:
        """x̄_0 = E[x_0 | x_t, c] after classifier-free guidance, (B, …) like x; differentiable."""

    def decode(self, x0: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] of clean latents (B, …); differentiable."""

    def solver(self, name: str, steps: int) -> Solver:
        """A fresh solver from pure noise to the clean latent."""

    def level(self, fraction: float) -> Level:
        """The level at t/T = fraction in [0, 1]; σ = 0 at fraction 0."""


class Reward(Protocol):
    """A score of images against a prompt, the higher the better, in its own units."""

    name: str
    differentiable: bool

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B,)."""


@dataclass(frozen=True)
class Problem:
    """One prompt to be sampled: everything that a method may draw on, nothing that it may keep."""

    backbone: Backbone
    reward: Reward
    noise: Noise
    prompt: str
    condition: Any
    images: int
    solver: str
    steps: int

    def score(self, x0: Tensor) -> Tensor:
        """Rewards (B,) of clean latents: decode, then judge."""
        return self.score_images(self.backbone.decode(x0))

    def score_images(self, images: Tensor) -> Tensor:
        """Rewards (B,) of images. Raises FloatingPointError on NaN or infinity."""
        rewards = self.reward(images, self.prompt)
        if not torch.isfinite(rewards.detach()).all():
            raise FloatingPointError(
                f"reward {self.reward.name} gave a value that is not finite for the prompt "
                f"{self.prompt!r}"
            )
        return rewards


class Estimator(Protocol):
    """An estimate of the expected future reward V(x_t) = log E[exp(λ r(x_0, c)) | x_t].

    ``x0`` is the posterior mean that the loop has already computed at x_t, so that no estimator
    calls the denoiser again for it. Where ``gradient`` is true, ``shift`` differentiates: x0 must
    carry the graph back to x. ``scale`` is λ.
    """

    gradient: bool
    scale: float

    def value(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        """V(x_t) up to a constant shared by the batch, (B,)."""

    def shift(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        """Tilted posterior mean minus posterior mean = (σ²/α) ∇V(x_t), (B, …) like x0."""


class EstimatorSettings(Protocol):
    """Settings of an estimator; ``prepare`` makes it ready for one prompt.

    ``gradient``: its shift differentiates the reward.
    """

    @property
    def gradient(self) -> bool: ...

    def prepare(self, problem: Problem) -> Estimator: ...


@dataclass(frozen=True)
class State:
    """Where the loop stands: particles x_t before solver step ``step``, and E[x_0 | x_t]."""

    x: Tensor
    x0: Tensor
    level: Level
    step: int
    steps: int


class Steer(Protocol):
    """What a sampler does with an estimate, for one prompt. Settings live in SteerSettings."""

    def start(self) -> Finals | None:
        """Clean samples to deliver instead of denoising; None to denoise from noise."""

    def needs_gradient(self, level: Level) -> bool:
        """Whether ``shift`` at this level differentiates through the posterior mean."""

    def shift(self, state: State) -> Tensor | None:
        """What to add to the posterior mean, (B, …), or None."""

    def select(self, state: State) -> Tensor | None:
        """Ancestors (B,) int64 of a resampling, or None to keep every particle."""

    def finish(self, finals: Finals) -> Finals:
        """The clean samples to go on with: a last resampling, the best of several, all."""

    def info(self) -> Mapping[str, Any]:
        """Diagnostics, plain numbers and lists."""


class SteerSettings(Protocol):
    """Settings of a steer; ``candidates`` particles are run for each delivered image."""

    @property
    def candidates(self) -> int: ...

    def check(
        self, estimators: Mapping[str, EstimatorSettings], images: int, particles: int
    ) -> None:
        """Raise ValueError, before any sampling, where the settings do not fit together."""

    def needs_gradient(self, estimators: Mapping[str, EstimatorSettings]) -> bool:
        """Whether the reward must be differentiable."""

    def prepare(
        self, problem: Problem, estimators: Mapping[str, Estimator], particles: int
    ) -> Steer: ...


class Finals:
    """Clean latents at the end of sampling, decoded and scored at most once each."""

    def __init__(
        self,
        problem: Problem,
        latents: Tensor,
        images: Tensor | None = None,
        rewards: Tensor | None = None,
    ):
        self.problem, self.latents = problem, latents
        self._images, self._rewards = images, rewards

    def images(self) -> Tensor:
        if self._images is None:
            self._images = self.problem.backbone.decode(self.latents)
        return self._images

    def rewards(self) -> Tensor:
        if self._rewards is None:
            self._rewards = self.problem.score_images(self.images())
        return self._rewards

    def select(self, index: Tensor) -> Finals:
        def picked(values: Tensor | None) -> Tensor | None:
            return None if values is None else values[index]

        return Finals(
            self.problem, self.latents[index], picked(self._images), picked(self._rewards)
        )


Phase = Callable[[str], AbstractContextManager[Any]]
Observer = Callable[[State], None]


@dataclass(frozen=True)
class Sampled:
    """What a method delivers: clean latents (images, …), their decoded images, diagnostics."""

    latents: Tensor
    images: Tensor
    info: Mapping[str, Any] = field(default_factory=dict)
