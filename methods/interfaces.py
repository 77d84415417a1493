"""What the methods ask of a diffusion model, a solver, a reward and a source of noise.

Everything is written in posterior-mean space: a Gaussian path x_t = α x_0 + σ ε and the model's
posterior mean x̄_0 = E[x_0 | x_t], so that one code serves ε-, x_0-, v- and flow-parameterised
models (LiDAR, arXiv 2602.03211, section 3). Shapes: B samples of a latent shape "…"; images are
(B, 3, H, W) in [0, 1], or whatever a backbone's ``decode`` makes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


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
    def end(self) -> Level:
        """The level that the last step arrives at: clean, or nearly (Stable Diffusion's ᾱ_0)."""

    @property
    def stochastic(self) -> bool: ...

    def initial(self, noise: Tensor) -> Tensor:
        """x_T from standard normal noise."""

    def step(self, x0: Tensor, index: int, x: Tensor, noise: Tensor | None) -> Tensor:
        """From level ``index`` to the next: x_t and its (steered) posterior mean to x_s.

        ``noise`` is standard normal, like x; None where ``stochastic`` is false.
        """

    def transition(self, index: int) -> tuple[float, float]:
        """Of the step from level ``index``: ∂x_s/∂x̄_0, and the standard deviation of its noise.

        Raises ValueError where the step is not an ancestral one, of any η (DDPM, DDIM).
        """

    def restart(self) -> None:
        """Forget the history: the next step is a first one, from whatever level."""

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


class Guider(Protocol):
    """Another way than classifier-free guidance to make one posterior mean of the model's several.

    ``perturbed``: a third one is wanted, of a model made worse, which costs an evaluation more.
    """

    perturbed: bool

    def rows(self, part: slice) -> Guider:
        """The part for some samples of a batch."""

    def __call__(
        self,
        x: Tensor,
        level: Level,
        weight: float,
        conditional: Tensor,
        unconditional: Tensor,
        perturbed: Tensor | None,
    ) -> Tensor:
        """x̄_0 of x (B, …), of the posterior means with the prompt, without it, and with it of the
        model made worse; ``weight`` is the guidance weight."""


class Guided(Condition, Protocol):
    """The condition of a model under classifier-free guidance."""

    def combined(self, guider: Guider) -> Guided:
        """The condition under which ``guider`` takes the place of classifier-free guidance."""


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
