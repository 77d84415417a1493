"""Sampling one prompt with a method: its estimators prepared, its loop run, its images decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from methods.interfaces import Estimator, Noise, Phase, Problem, Solver, no_phase
from methods.loop import denoise, initial_noise, located
from methods.method import Method
from methods.steering import Finals, Observer, Sampled


@dataclass(frozen=True)
class Later:
    """A ledger whose images are numbered from ``first``; a draw's key begins with its image."""

    noise: Noise
    first: int

    def _named(self, key: Sequence[int]) -> tuple[int, ...]:
        return (key[0] + self.first, *key[1:])

    def __call__(self, shape: Sequence[int], purpose: str, *key: int) -> Tensor:
        return self.noise(shape, purpose, *self._named(key))

    def stack(self, shape: Sequence[int], purpose: str, keys: Sequence[Sequence[int]]) -> Tensor:
        return self.noise.stack(shape, purpose, [self._named(key) for key in keys])

    def uniform(self, count: int, purpose: str, *key: int) -> Tensor:
        return self.noise.uniform(count, purpose, *self._named(key))


@dataclass
class _Run:
    """The target solver's steered loop; each call is a run with steers prepared afresh."""

    problem: Problem
    method: Method
    estimators: Mapping[str, Estimator]
    observe: Observer | None
    info: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps = self.problem.steps * self.method.steps_factor
        self.levels = self._solver().levels
        self.particles = self.problem.images * self.method.candidates

    def _solver(self) -> Solver:
        return self.problem.backbone.solver(self.problem.solver, self.steps)

    def initial(self, noise: Tensor) -> Tensor:
        return self._solver().initial(noise)

    def __call__(self, x: Tensor, first: int = 0) -> Finals:
        problem, method = self.problem, self.method
        with problem.phase("denoise"):
            steers = [s.prepare(problem, self.estimators, len(x)) for s in method.steers]
            latents = denoise(
                problem.backbone,
                problem.condition,
                self._solver(),
                x,
                problem.noise,
                steers,
                method.candidates,
                observe=self.observe,
                first=first,
            )
            if not torch.isfinite(latents).all():
                raise FloatingPointError(
                    f"method {method.name} drove its samples out of range for the prompt "
                    f"{problem.prompt!r}: lower its scale, or its reward was not finite"
                )
        finals = Finals(problem, latents)
        with problem.phase("decode"), torch.no_grad(), located("of the finished samples"):
            for steer in steers:
                finals = steer.finish(finals)
            if any(s.starts and s.scores for s in method.steers):
                finals.rewards()  # here, where the clock is: the starter compares them
        self.info = {key: value for s in steers for key, value in s.info().items()}
        return finals


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
    State. ``together``: sample so many images at a time, where memory does not hold all; it changes
    them by rounding alone, and what is drawn once per prompt still is. The diagnostics are then
    lists with one entry each time. Raises ValueError where the method couples the images.
    """
    keep = any(s.keeps for s in method.steers)
    problem = replace(problem, candidates=method.candidates, phase=phase, keep=keep)
    with phase("prepare"), torch.no_grad(), located("while its estimators were prepared"):
        estimators = {name: e.prepare(problem) for name, e in method.estimators.items()}
    if together is None or together >= problem.images:
        return _deliver(problem, method, estimators, observe)
    if method.joint:
        raise ValueError(f"method {method.name} couples a prompt's images: sample them together")
    parts = []
    for first in range(0, problem.images, together):
        count = min(together, problem.images - first)
        part = replace(problem, images=count, noise=Later(problem.noise, first))
        own = {name: e.again(estimators[name], part) for name, e in method.estimators.items()}
        parts.append(_deliver(part, method, own, observe))
    return Sampled(
        torch.cat([part.latents for part in parts]),
        torch.cat([part.images for part in parts]),
        {key: [part.info[key] for part in parts] for key in parts[0].info},
    )


def _deliver(
    problem: Problem,
    method: Method,
    estimators: Mapping[str, Estimator],
    observe: Observer | None,
) -> Sampled:
    run = _Run(problem, method, estimators, observe)
    starters = [s for s in method.steers if s.starts]
    finals = starters[0].begin(problem, estimators, run) if starters else None
    if finals is None:
        with problem.phase("denoise"):
            x = run.initial(initial_noise(problem, run.particles, method.candidates))
        finals = run(x)
    with problem.phase("decode"), torch.no_grad():
        images = finals.images()
    return Sampled(finals.latents, images, run.info)
