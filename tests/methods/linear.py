"""A backbone whose student is a formula of one's own, and noise that is given."""

from dataclasses import dataclass

import torch

from bench.mixture.solver import PathSolver, level_at
from methods.problem import Problem


@dataclass(frozen=True)
class Given:
    """A ledger that gives what it is told: ``initial`` noise by candidate."""

    initial: torch.Tensor

    def stack(self, shape, purpose, keys):
        assert purpose == "initial"
        return torch.stack([self.initial[candidate] for _, candidate in keys])


class Condition:
    evaluations = 1


@dataclass(frozen=True)
class Formula:
    """A student x̂_0 = jump(x, level) on the path of flow matching."""

    jump: object
    latent_shape: tuple
    device = torch.device("cpu")

    def under(self, solver):
        return self

    def posterior_mean(self, x, level, condition):
        return self.jump(x, level)

    def decode(self, x0):
        return x0

    def solver(self, name, steps):
        return PathSolver("flow", steps)

    def level(self, fraction):
        return level_at("flow", fraction)


def problem_of(jump, reward, noise, images=1):
    """A prompt under that student, from the initial ``noise`` (candidates, …) of each image."""
    backbone = Formula(jump, tuple(noise.shape[1:]))
    return Problem(backbone, reward, Given(noise), "", Condition(), images, "any", 1)
