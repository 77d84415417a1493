"""Sampling one prompt with a method: its estimators prepared, its loop run, its images decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from methods.finals import Finals
from methods.interfaces import Level, Solver
from methods.loop import Acting, Observer, denoise
from methods.method import Method
from methods.problem import Phase, Problem, located, no_phase
from methods.seen import Seen
from methods.state import Prepared, Step


@dataclass(frozen=True)
class Sampled:
    """What a method delivers: clean latents (images, …), their decoded images, diagnostics."""

    latents: Tensor
    images: Tensor
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Run:
    """The target solver's steered loop over one prompt, to be called from noise of any kind.

    Of the last call ``info`` are the diagnostics, and ``tilt`` (B,) says that x was drawn from the
    noise in proportion to exp(tilt); None: from the noise itself.
    """

    problem: Problem
    method: Method
    prepared: Prepared = field(default_factory=Prepared)
    observe: Observer | None = None
    info: dict[str, Any] = field(default_factory=dict)
    tilt: Tensor | None = None

    @property
    def particles(self) -> int:
        return self.problem.images * self.problem.candidates

    @property
    def levels(self) -> Sequence[Level]:
        return self.solver().levels

    def solver(self) -> Solver:
        """A fresh target solver."""
        steps = self.problem.steps * self.method.steps_factor
        return self.problem.backbone.solver(self.problem.solver, steps)

    def initial(self, noise: Tensor) -> Tensor:
        """x_T from standard normal noise."""
        return self.solver().initial(noise)

    def step(self, x: Tensor, index: int = 0, visit: int = 0) -> Step:
        """Particles x (B, …) in front of the solver's step ``index``, to ask estimators there."""
        solver = self.solver()
        levels, steps = [*solver.levels, solver.end], len(solver.levels)
        here = levels[index]
        condition = self.problem.condition
        return Step(self.problem, solver, x, here, index, steps, condition, self.prepared, visit)

    def acting(self) -> list[Acting]:
        """The method's steers, each with a fresh memory."""
        return [
            Acting(
                steer,
                steer.begin(self),
                self.method.graphs(label),
                self.method.graphs(label, ("graph",)) > 0,
                self.method.derives(label),
            )
            for label, steer in self.method.steers.items()
        ]

    def latents(self, x: Tensor, noise: Tensor | None = None) -> Tensor:
        """Clean latents with a graph to x and the solver's ``noise`` (steps, B, …)."""
        return denoise(
            self.problem,
            self.solver(),
            x,
            self.acting(),
            self.prepared,
            noise=noise,
            graph=True,
        )

    def __call__(
        self,
        x: Tensor,
        first: int = 0,
        noise: Tensor | None = None,
        scored: bool = False,
        tilt: Tensor | None = None,
        purpose: str = "solver",
    ) -> Finals:
        """From particles x at the solver's level ``first`` to clean samples, every steer at work.

        ``scored``: score what is finished, under the clock's phase for it. ``purpose``: what the
        solver's noise is drawn for; another one than the usual is other noise.
        """
        problem, self.info, self.tilt = self.problem, {}, tilt
        with problem.phase("denoise"):
            steers = self.acting()
            latents = denoise(
                problem,
                self.solver(),
                x,
                steers,
                self.prepared,
                purpose=purpose,
                first=first,
                noise=noise,
                observe=self.observe,
                info=self.info,
            )
            finals = self.finished(latents)
        with problem.phase("decode"), torch.no_grad(), located("of the finished samples"):
            for acting in steers:
                finals = acting.steer.finish(finals, acting.memory)
            if scored:
                finals.rewards()
        return finals

    def finished(self, latents: Tensor) -> Finals:
        """Clean latents (B, …) as samples. Raises FloatingPointError where they are not finite."""
        if not torch.isfinite(latents).all():
            raise FloatingPointError(
                f"method {self.method.name} drove its samples out of range for the prompt "
                f"{self.problem.prompt!r}: lower its scale, or its reward was not finite"
            )
        return Finals(self.problem, latents, info=self.info, prepared=self.prepared)


def sample(
    problem: Problem,
    method: Method,
    phase: Phase = no_phase,
    observe: Observer | None = None,
    together: int | None = None,
) -> Sampled:
    """Sample one prompt: ``problem.images`` delivered images.

    ``phase`` is entered for "prepare" (lookahead samples), within it "annotate" (their rewards),
    "denoise", and "decode" (last selection and decoding), for a clock; ``observe`` sees every
    step. ``together``: sample so many images at a time, where memory does not hold all; it changes
    them by rounding alone, and what is drawn once per prompt still is. The diagnostics are then
    lists with one entry each time. Raises ValueError where the method couples the images.
    """
    keep = any("images" in steer.requires for steer in method.steers.values())
    seen = Seen(problem.images) if method.best_seen else None
    candidates = method.candidates
    problem = replace(problem, candidates=candidates, phase=phase, keep=keep, seen=seen)
    with phase("prepare"), torch.no_grad(), located("while its estimators were prepared"):
        ready = {name: e.prepare(problem) for name, e in method.estimators.items()}
    prepared = Prepared(method.estimators, ready)
    size = min(together or problem.images, problem.images)
    if size < problem.images and method.joint:
        raise ValueError(f"method {method.name} couples a prompt's images: sample them together")
    parts = []
    for first in range(0, problem.images, size):
        images = min(size, problem.images - first)
        part = replace(problem, images=images, first=first * problem.candidates)
        parts.append(_delivered(Run(part, method, prepared, observe)))
    if len(parts) == 1:
        return parts[0]
    return Sampled(
        torch.cat([part.latents for part in parts]),
        torch.cat([part.images for part in parts]),
        {key: [part.info[key] for part in parts] for key in parts[0].info},
    )


def _delivered(run: Run) -> Sampled:
    finals = None
    for steer in run.method.steers.values():
        finals = steer.sample(run) if finals is None else finals
    if finals is None:
        with run.problem.phase("denoise"):
            x = run.initial(run.problem.initial(run.particles))
        finals = run(x)
    with run.problem.phase("decode"), torch.no_grad(), located("of the finished samples"):
        if run.problem.seen is not None:
            own = finals.rewards()
            finals = finals.or_better(run.problem.seen)
            run.info["best_seen"] = (finals.rewards() > own).tolist()
        images = finals.images()
    return Sampled(finals.latents, images, run.info)
