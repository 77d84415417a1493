"""The one denoising loop, and a method: estimators and steers around it.

    x0 = posterior mean of x_t            # after classifier-free guidance
    x0 = x0 + shift of every steer        # guidance
    x, x0 = resampled particles           # smc: by the value at x_t, before the noise of the step
    x  = solver step

Resampling precedes the step, so that copies of one particle part at once by the step's own noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

from methods.interfaces import (
    Backbone,
    EstimatorSettings,
    Finals,
    Noise,
    Observer,
    Phase,
    Problem,
    Sampled,
    Solver,
    State,
    Steer,
    SteerSettings,
)


@dataclass(frozen=True)
class Method:
    """A named pair (or more): how V is estimated, and what is done with the estimates.

    ``steps_factor`` multiplies the target solver's steps (the compute-matched vanilla control).
    """

    name: str
    estimators: Mapping[str, EstimatorSettings] = field(default_factory=dict)
    steers: Sequence[SteerSettings] = ()
    steps_factor: int = 1

    def __post_init__(self) -> None:
        if self.steps_factor < 1:
            raise ValueError(f"steps_factor must be >= 1, got {self.steps_factor}")

    @property
    def candidates(self) -> int:
        """Particles per delivered image."""
        return prod(s.candidates for s in self.steers)


@contextmanager
def _no_phase(name: str) -> Iterator[None]:
    yield


def draw(
    noise: Noise, shape: Sequence[int], particles: int, candidates: int, purpose: str, *key: int
) -> Tensor:
    """(particles, …) on the host: particle p is candidate p mod c of image p div c.

    So candidate 0 of image i meets the noise that vanilla's image i meets.
    """
    names = [divmod(p, candidates) for p in range(particles)]
    return torch.stack([noise(shape, purpose, *name, *key) for name in names])


def initial_noise(
    problem: Problem, particles: int, candidates: int = 1, purpose: str = "initial"
) -> Tensor:
    """Standard normal (particles, …) to start from, on the backbone's device."""
    shape = problem.backbone.latent_shape
    return draw(problem.noise, shape, particles, candidates, purpose).to(problem.backbone.device)


def denoise(
    backbone: Backbone,
    condition: object,
    solver: Solver,
    x: Tensor,
    noise: Noise,
    steers: Sequence[Steer] = (),
    candidates: int = 1,
    purpose: str = "solver",
    observe: Observer | None = None,
) -> Tensor:
    """Run ``solver`` from x = x_T to clean latents (B, …), steered."""
    steps = len(solver.levels)
    for step, level in enumerate(solver.levels):
        gradient = any(s.needs_gradient(level) for s in steers)
        with torch.set_grad_enabled(gradient):
            x = x.detach().requires_grad_(gradient)
            state = State(x, backbone.posterior_mean(x, level, condition), level, step, steps)
            shifts = [d.detach() for s in steers if (d := s.shift(state)) is not None]
        with torch.no_grad():
            state = State(x.detach(), state.x0.detach(), level, step, steps)
            if observe is not None:
                observe(state)
            x, x0 = state.x, sum(shifts, start=state.x0)
            for steer in steers:
                ancestors = steer.select(state)
                if ancestors is not None:
                    x, x0 = x[ancestors], x0[ancestors]
                    solver.select(ancestors)
                    state = State(x, state.x0[ancestors], level, step, steps)
            fresh = None
            if solver.stochastic:
                fresh = draw(noise, x.shape[1:], len(x), candidates, purpose, step).to(x)
            x = solver.step(x0, step, x, fresh)
    return x


def sample(
    problem: Problem,
    method: Method,
    phase: Phase = _no_phase,
    observe: Observer | None = None,
) -> Sampled:
    """Sample one prompt: ``problem.images`` delivered images.

    ``phase`` is entered for "prepare" (lookahead samples and their rewards), "denoise", and
    "decode" (last selection and decoding), for a clock; ``observe`` sees every State.
    """
    backbone = problem.backbone
    with phase("prepare"), torch.no_grad():
        particles = problem.images * method.candidates
        estimators = {name: e.prepare(problem) for name, e in method.estimators.items()}
        steers = [s.prepare(problem, estimators, particles) for s in method.steers]
        starts = [start for s in steers if (start := s.start()) is not None]
    with phase("denoise"):
        if starts:
            finals = starts[0]
        else:
            solver = backbone.solver(problem.solver, problem.steps * method.steps_factor)
            x = solver.initial(initial_noise(problem, particles, method.candidates))
            latents = denoise(
                backbone,
                problem.condition,
                solver,
                x,
                problem.noise,
                steers,
                method.candidates,
                observe=observe,
            )
            finals = Finals(problem, latents)
    with phase("decode"), torch.no_grad():
        for steer in steers:
            finals = steer.finish(finals)
        images = finals.images()
    info = {key: value for s in steers for key, value in s.info().items()}
    return Sampled(finals.latents, images, info)
