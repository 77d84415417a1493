"""A Gaussian mixture as a Backbone: every quantity that others estimate is in closed form.

A prompt names the mixture (``bench.mixture.problems``). Latents and "images" are the same points
(B, D) in float64. The embedding is the components' log weights, so that embedding guidance has
something to move. There is no classifier-free guidance.

Under the solver ``flow_map`` its denoiser is a student, an idealised one: its jump from x_t to the
clean end is the probability-flow ODE's own map, solved to 1e-10, and counts as one posterior mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.backbones.settings import check_solver
from bench.backbones.vp_sde import VpSde
from bench.mixture.flow_map import flow_map
from bench.mixture.problems import mixture
from bench.mixture.solver import PATHS, PathSolver, level_at, level_of
from methods.interfaces import Level, Solver
from methods.mixture import GaussianMixture
from methods.settings import at_least, one_of, whole


@dataclass(frozen=True)
class MixtureCondition:
    """The prior p(x_0 | c), with log weights (1, K), or (B, K) once they were moved."""

    prior: GaussianMixture

    @property
    def evaluations(self) -> int:
        return 1

    @property
    def embedding(self) -> Tensor:
        return self.prior.log_weights

    def moved(self, embedding: Tensor, unconditional: Tensor | None = None) -> MixtureCondition:
        return MixtureCondition(replace(self.prior, log_weights=embedding))


SOLVER_KEYS = ("eta", "multistep", "student", "sde")
SOLVERS: Mapping[str, Mapping[str, Any]] = {
    "ddpm": {"eta": 1.0},
    "ddim": {"eta": 0.0},
    "dpm": {"multistep": True},
    "vp_sde": {"sde": 3.0},
    "flow_map": {"student": True},
}


class MixtureBackbone:
    """``dimension`` D, ``components`` K, ``path`` "vp" or "flow", ``solvers`` by name."""

    def __init__(
        self,
        dimension: int,
        components: int,
        path: str,
        solvers: Mapping[str, Mapping[str, Any]] = SOLVERS,
    ):
        self.solvers, self.student = solvers, False
        self.dimension, self.components, self.path = dimension, components, path
        self.latent_shape: tuple[int, ...] = (dimension,)
        self.device = torch.device("cpu")

    def under(self, solver: str) -> MixtureBackbone:
        one_of("solver", solver, list(self.solvers))
        student = self.solvers[solver].get("student", False)
        if student == self.student:
            return self
        made = copy(self)
        made.student = student
        return made

    def encode(
        self, prompt: str, guidance: float | None = None, known: Any = None
    ) -> MixtureCondition:
        if guidance is not None:
            raise ValueError("the mixture has no classifier-free guidance: cfg must be null")
        prior = mixture(prompt, self.dimension, self.components)
        return MixtureCondition(replace(prior, log_weights=prior.log_weights.unsqueeze(0)))

    def posterior_mean(self, x: Tensor, level: Level, condition: Any) -> Tensor:
        """Of the student: where the probability-flow ODE from x_t ends."""
        if self.student:
            return flow_map(condition.prior, x, level)
        mean: Tensor = condition.prior.posterior(x, level.alpha, level.sigma).mean()
        return mean

    def unconditional(self, x: Tensor, level: Level, condition: Any) -> None:
        return None

    def decode(self, x0: Tensor) -> Tensor:
        return x0.clone()

    def solver(self, name: str, steps: int) -> Solver:
        one_of("solver", name, list(self.solvers))
        own = {key: value for key, value in self.solvers[name].items() if key != "student"}
        if "sde" in own:
            return VpSde(steps, own["sde"], partial(level_of, self.path), torch.float64)
        return PathSolver(self.path, steps, **own)

    def level(self, fraction: float) -> Level:
        return level_at(self.path, fraction)


def check(settings: Mapping[str, Any]) -> None:
    """Raise ValueError where a setting is out of range."""
    whole("backbone.dimension", settings["dimension"], 1)
    whole("backbone.components", settings["components"], 1)
    one_of("backbone.path", settings["path"], list(PATHS))
    for name, options in settings["solvers"].items():
        if "sde" in options:
            check_solver(f"backbone.solvers.{name}", options)
        for key in options:
            one_of(f"backbone.solvers.{name}: a setting", key, SOLVER_KEYS)
        at_least(f"backbone.solvers.{name}.eta", options.get("eta", 0.0), 0)
        if not isinstance(options.get("student", False), bool):
            raise ValueError(f"backbone.solvers.{name}.student must be true or false")
        if options.get("eta", 0.0) > 1 or (options.get("eta") and options.get("multistep")):
            raise ValueError(f"backbone.solvers.{name}: eta is at most 1, and 0 with multistep")


def load(settings: Mapping[str, Any]) -> tuple[MixtureBackbone, str]:
    """The backbone and the digest of what it is made of."""
    check(settings)
    keys = ("dimension", "components", "path", "solvers")
    made = MixtureBackbone(*(settings[key] for key in keys))
    return made, f"mixture-{made.dimension}-{made.components}-{made.path}"
