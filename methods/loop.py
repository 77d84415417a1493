"""The one denoising loop.

    x0 = posterior mean of x_t            # after classifier-free guidance
    x0 = x0 + shift of every steer        # guidance
    x, x0 = resampled particles           # smc, search: by the value at x_t
    x  = solver step

Resampling precedes the step, so that copies of one particle part at once by the step's own noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from methods.interfaces import (
    CLEAN,
    Backbone,
    Condition,
    Level,
    Noise,
    Problem,
    Solver,
)
from methods.path import ancestral_step, renoise
from methods.steering import (
    Observer,
    State,
    Steer,
)
from methods.transfer import onto


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say where a reward was not finite."""
    try:
        yield
    except FloatingPointError as error:
        raise FloatingPointError(f"{error}, {where}") from None


def draw(
    noise: Noise, shape: Sequence[int], particles: int, candidates: int, purpose: str, *key: int
) -> Tensor:
    """(particles, …) on the host, named as ``Problem.names`` does."""
    names = [(*divmod(p, candidates), *key) for p in range(particles)]
    return noise.stack(shape, purpose, names)


def initial_noise(
    problem: Problem, particles: int, candidates: int = 1, purpose: str = "initial"
) -> Tensor:
    """Standard normal (particles, …) to start from, on the backbone's device."""
    shape, device = problem.backbone.latent_shape, problem.backbone.device
    drawn = draw(problem.noise, shape, particles, candidates, purpose)
    return onto(drawn, torch.empty((), dtype=drawn.dtype, device=device))


def _predict(
    backbone: Backbone,
    condition: Condition,
    steers: Sequence[Steer],
    x: Tensor,
    level: Level,
    step: int,
    steps: int,
) -> tuple[State, Tensor | None]:
    """The posterior mean at x under the steers' condition, and their total shift, detached."""
    for steer in steers:
        condition = steer.condition(x, level, step, condition)
    gradient = any(s.needs_gradient(level) for s in steers)
    with torch.set_grad_enabled(gradient):
        x = x.detach().requires_grad_(gradient)
        state = State(x, backbone.posterior_mean(x, level, condition), level, step, steps)
        shifts = [d.detach() for s in steers if (d := s.shift(state)) is not None]
    total = sum(shifts[1:], start=shifts[0]) if shifts else None
    return State(x.detach(), state.x0.detach(), level, step, steps), total


def denoise(
    backbone: Backbone,
    condition: Condition,
    solver: Solver,
    x: Tensor,
    noise: Noise,
    steers: Sequence[Steer] = (),
    candidates: int = 1,
    purpose: str = "solver",
    observe: Observer | None = None,
    first: int = 0,
) -> Tensor:
    """Run ``solver`` from x at level ``first`` to clean latents (B, …), steered."""
    steps = len(solver.levels)
    for step in range(first, steps):
        level = solver.levels[step]

        def fresh(purpose: str, *key: int, like: Tensor) -> Tensor:
            return onto(draw(noise, like.shape[1:], len(like), candidates, purpose, *key), like)

        with located(f"at step {step} of {steps}"):
            lower = solver.levels[step + 1] if step + 1 < steps else CLEAN
            for again in range(max((s.recurrences(level) for s in steers), default=0)):
                state, shift = _predict(backbone, condition, steers, x, level, step, steps)
                x0 = state.x0 if shift is None else state.x0 + shift
                down, up = (fresh("recurrence", step, again, way, like=x) for way in (0, 1))
                eta = 1.0 if solver.stochastic else 0.0
                x = renoise(ancestral_step(x, x0, level, lower, down, eta), lower, level, up)
            state, shift = _predict(backbone, condition, steers, x, level, step, steps)
            if observe is not None:
                observe(state)
            for steer in steers:
                with torch.no_grad():
                    ancestors = steer.select(state)
                if ancestors is None:
                    continue
                state = State(state.x[ancestors], state.x0[ancestors], level, step, steps)
                shift = None if shift is None else shift[ancestors]
                solver.select(ancestors)
                for other in steers:
                    if other is not steer:
                        other.follow(ancestors)
        with torch.no_grad():
            x0 = state.x0 if shift is None else state.x0 + shift
            z = fresh(purpose, step, like=x) if solver.stochastic else None
            x = solver.step(x0, step, state.x, z)
            if z is not None:
                for steer in steers:
                    steer.stepped(state, shift, z, solver)
    return x
