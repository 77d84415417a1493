"""The one denoising loop.

    x0 = posterior mean of x_t            # after classifier-free guidance
    x0 = x0 + shift of every steer        # guidance
    x, x0 = resampled particles           # smc, search: by the value at x_t
    x  = solver step

It visits the positions of a route: the solver's levels in order, with the detours that steers add
(recurrence, restart). Going back to an earlier position adds noise. Particles are resampled at a
position's last visit, just before the solver step, so that the step's noise separates copies at
once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from methods.base import Memory, Steer
from methods.interfaces import Solver
from methods.problem import Problem, located
from methods.state import NOBODY, Prepared, Step, check_shape, posterior_mean

Observer = Callable[[Step], None]


@dataclass(frozen=True)
class Acting:
    """A steer in a run of the loop; ``graphs``: how often its shift differentiates by x_t;
    ``through``: whether through the denoiser; ``derives``: whether it differentiates at all."""

    steer: Steer
    memory: Memory
    graphs: int = 0
    through: bool = False
    derives: bool = False


def denoise(
    problem: Problem,
    solver: Solver,
    x: Tensor,
    steers: Sequence[Acting] = (),
    prepared: Prepared = NOBODY,
    *,
    purpose: str = "solver",
    first: int = 0,
    last: int | None = None,
    noise: Tensor | None = None,
    graph: bool = False,
    observe: Observer | None = None,
    info: dict[str, Any] | None = None,
) -> Tensor:
    """Run ``solver`` from x (B, …) at position ``first`` to clean latents (B, …), steered, or to
    position ``last``.

    ``noise`` (steps, B, …): the solver's, in place of what the ledger has for ``purpose``.
    ``graph``: keep the autograd graph from ``x`` and ``noise`` to the latents; to save memory,
    posterior means of several steps are computed again in the backward pass. ``observe`` sees every
    step at its last visit.
    """
    info = {} if info is None else info
    levels = [*solver.levels, solver.end]
    route = list(range(first, len(levels) if last is None else last + 1))
    for acting in steers:
        route = acting.steer.route(route, levels)
    leaving = {position: place for place, position in enumerate(route)}
    visits: Counter[int] = Counter()
    known: dict[Any, Any] = {}
    for place, (here, there) in enumerate(pairwise(route)):
        if there > here + 1 or there == here:
            raise ValueError(f"a route steps from {here} to {here + 1} or back, not to {there}")
        if there < here:
            fresh = problem.normal_like(x, "upward", there, visits[there])
            x = problem.kernel.renoise(x, levels[here], levels[there], fresh)
            solver.restart()
            known = {}
            continue
        with located(f"at step {here} of {len(levels) - 1}"):
            step = Step(
                problem,
                solver,
                x,
                levels[here],
                here,
                len(levels) - 1,
                problem.condition,
                prepared,
                visits[here],
                info=info,
                known=known,
            )
            visits[here] += 1
            step = _predicted(step, steers, graph)
            if place == leaving[here]:
                if observe is not None:
                    observe(step)
                step = _selected(step, steers)
        if solver.stochastic:
            drawn = problem.normal_like(x, purpose, *step.key) if noise is None else noise[here]
            step = replace(step, noise=drawn.to(x))
        with torch.set_grad_enabled(graph):
            chosen = [acting.steer.after(step, acting.memory) for acting in steers]
            x, known = solver.step(step.moved_mean, here, step.x, step.noise), {}
        for ahead in chosen:
            if ahead is not None:
                x, known = ahead.x, ahead.carried()
    return x


def _predicted(step: Step, steers: Sequence[Acting], graph: bool) -> Step:
    """The step under the steers' condition, its posterior mean known, moved by their shifts.

    Where steers differentiate, as many particles at a time as ``Problem.graph`` allows: each has
    its own gradient.
    """
    size = step.problem.graph or len(step.x)
    deriving = any(acting.derives and acting.steer.active(step.level) for acting in steers)
    if graph or not deriving or size >= len(step.x):
        return _moved(step, steers, graph)
    parts, memories = [], []
    for start in range(0, len(step.x), size):
        part = slice(start, start + size)
        own = [
            replace(acting, memory={name: held[part] for name, held in acting.memory.items()})
            for acting in steers
        ]
        parts.append(_moved(step.part(part), own, graph))
        memories.append([acting.memory for acting in own])
    for acting, *pieces in zip(steers, *memories, strict=True):
        acting.memory.update({k: torch.cat([piece[k] for piece in pieces]) for k in pieces[0]})
    return step.joined(parts)


def _moved(step: Step, steers: Sequence[Acting], graph: bool) -> Step:
    """``_predicted`` of particles that are all differentiated together."""
    for acting in steers:
        condition = acting.steer.condition(step, acting.memory)
        if condition is not step.condition:
            step = replace(step, condition=condition, known={})
    acting_here = [acting for acting in steers if acting.steer.active(step.level)]
    graphs = sum(acting.graphs for acting in acting_here)
    through = any(acting.through for acting in acting_here)
    with torch.set_grad_enabled(graphs > 0 or graph):
        if graph and step.steps > 1:
            mean = step.problem.backbone.posterior_mean
            with set_checkpoint_early_stop(False):  # so that a meter sees the second call end
                again = checkpoint(mean, step.x, step.level, step.condition, use_reentrant=False)
            step.known[posterior_mean] = again
        elif graph:  # of a single step there is nothing to save
            step.once(posterior_mean)
        else:
            x = step.x.detach().requires_grad_(graphs > 0)
            step = replace(step, x=x, shared=graphs > 1, known={} if through else step.known)
            with torch.set_grad_enabled(through):
                step.once(posterior_mean)
        shifts = []
        for acting in acting_here:
            shift = acting.steer.shift(step, acting.memory)
            if shift is not None:
                check_shape(f"the shift of {type(acting.steer).__name__}", shift, step.x.shape)
                shifts.append(shift.detach())
    moved = sum(shifts[1:], start=shifts[0]) if shifts else None
    return replace(step if graph else step.settled(), moved=moved)


def _selected(step: Step, steers: Sequence[Acting]) -> Step:
    """The step of the particles that the steers keep; every memory follows them."""
    for acting in steers:
        with torch.no_grad():
            ancestors = acting.steer.select(step, acting.memory)
        if ancestors is None:
            continue
        step = step.select(ancestors)
        step.solver.select(ancestors)
        for other in steers:
            for name, values in other.memory.items():
                other.memory[name] = values[ancestors.to(values.device)]
    return step
