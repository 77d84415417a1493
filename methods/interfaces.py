"""The small contracts between a diffusion model, a reward and an estimator of future reward.

Everything is written in posterior-mean space: a Gaussian path x_t = α x_0 + σ ε and the model's
posterior mean x̄_0 = E[x_0 | x_t], so that one code serves ε-, x_0-, v- and flow-parameterised
models (LiDAR, arXiv 2602.03211, section 3). Shapes: B samples of a latent shape "…"; images are
(B, 3, H, W) in [0, 1], or whatever a backbone's ``decode`` makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from methods.price import Price


@dataclass(frozen=True)
class Level:
    """A noise level: the model's time, the path's α and σ there, and t/T in [0, 1]."""

    t: float
    alpha: float
    sigma: float
    fraction: float


CLEAN = Level(0.0, 1.0, 0.0, 0.0)


class Noise(Protocol):
    """The noise ledger's face: standard normal draws named by what they are for.

    ``noise(shape, purpose, *key)`` gives the same float32 tensor whenever it is asked for the
    same purpose and key, whatever was drawn before. For every method the initial noise of
    candidate j of delivered image i is ``("initial", i, j)``, and the solver's at step k
    ``("solver", i, j, k)``.
    """

    def __call__(self, shape: Sequence[int], purpose: str, *key: int) -> Tensor: ...

    def stack(self, shape: Sequence[int], purpose: str, keys: Sequence[Sequence[int]]) -> Tensor:
        """(len(keys), *shape): the same draws, several at once."""

    def uniform(self, count: int, purpose: str, *key: int) -> Tensor:
        """``count`` numbers in [0, 1), float64."""


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

    def transition(self, index: int) -> tuple[float, float]:
        """Of the step from level ``index``: ∂x_s/∂x̄_0, and the standard deviation of its noise."""

    def select(self, ancestors: Tensor) -> None:
        """Let the history follow a resampling: particle i becomes particle ancestors[i]."""


class Condition(Protocol):
    """What a prompt was encoded to."""

    @property
    def evaluations(self) -> int:
        """Denoiser samples that one posterior mean costs: 2 under classifier-free guidance."""

    @property
    def embedding(self) -> Tensor:
        """The conditional embedding, (1, …) or (B, …), which embedding guidance moves."""

    def moved(self, embedding: Tensor, unconditional: Tensor | None = None) -> Condition:
        """The condition with another embedding (B, …).

        ``unconditional`` is ``Backbone.unconditional``'s answer at the x in question, to be used
        again; None to evaluate it anew.
        """


class Backbone(Protocol):
    """A generative prior: its denoiser, decoder and solvers."""

    latent_shape: tuple[int, ...]
    device: torch.device

    def under(self, solver: str) -> Backbone:
        """The model to run under the solver of this name: itself, or with the denoiser distilled
        for the solver's few steps and the guidance weight that goes with it."""

    def encode(
        self, prompt: str, guidance: float | None = None, known: Condition | None = None
    ) -> Condition:
        """The prompt's condition, with the classifier-free guidance weight to use with it.

        ``known``: the same prompt's condition under another weight, whose embeddings serve again.
        """

    def posterior_mean(self, x: Tensor, level: Level, condition: Condition) -> Tensor:
        """x̄_0 = E[x_0 | x_t, c] after classifier-free guidance, (B, …) like x; differentiable."""

    def unconditional(self, x: Tensor, level: Level, condition: Condition) -> Tensor | None:
        """What classifier-free guidance needs of the empty prompt at x; None without guidance."""

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


Phase = Callable[[str], AbstractContextManager[Any]]


@contextmanager
def no_phase(name: str) -> Iterator[None]:
    """A clock that does not run."""
    yield


@dataclass(frozen=True)
class Problem:
    """One prompt to be sampled: everything that a method may draw on, nothing that it may keep.

    ``phase``: a clock's context by the name of what is being done. ``keep``: whether estimators
    keep their decoded samples, for a steer to deliver.
    """

    backbone: Backbone
    reward: Reward
    noise: Noise
    prompt: str
    condition: Condition
    images: int
    solver: str
    steps: int
    candidates: int = 1  # particles per delivered image
    phase: Phase = no_phase
    keep: bool = False

    def names(self, particles: int) -> list[tuple[int, int]]:
        """(image, candidate) of each particle: candidates of one image are neighbours.

        Noise is drawn under these names, so candidate 0 of image i meets vanilla's image i's.
        """
        return [divmod(p, self.candidates) for p in range(particles)]

    def score(self, x0: Tensor) -> Tensor:
        """Rewards (B,) of clean latents: decode, then judge."""
        return self.score_images(self.backbone.decode(x0))

    def score_images(self, images: Tensor) -> Tensor:
        """Rewards (B,) of images. Raises FloatingPointError on NaN or infinity.

        On an accelerator a reward that is differentiated is not looked at here: at every step that
        would hold up the host. It reaches the samples, and the end of the loop looks at these.
        """
        rewards = self.reward(images, self.prompt)
        if rewards.requires_grad and rewards.device.type != "cpu":
            return rewards
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
        """V(x_t), (B,)."""

    def shift(self, x: Tensor, level: Level, x0: Tensor, step: int) -> Tensor:
        """Tilted posterior mean minus posterior mean = (σ²/α) ∇V(x_t), (B, …) like x0."""


class EstimatorSettings(Protocol):
    """Settings of an estimator; ``prepare`` makes it ready for one prompt.

    ``gradient``: its shift differentiates the reward. ``analytic``: it needs a prior and a reward
    in closed form. ``conditional``: it evaluates the model by itself, under the prompt's condition.
    ``shared``: a value at the x_t of the last shift costs nothing more.
    """

    @property
    def gradient(self) -> bool: ...

    @property
    def analytic(self) -> bool: ...

    @property
    def conditional(self) -> bool: ...

    @property
    def shared(self) -> bool: ...

    def prepare(self, problem: Problem) -> Estimator: ...

    def again(self, prepared: Estimator, problem: Problem) -> Estimator:
        """Ready for some of the prompt's images, ``prepared`` having been made for all of them."""

    def price(self, problem: Problem) -> Price:
        """The calls of ``prepare``, and per particle those of one ``value`` and one ``shift``."""
