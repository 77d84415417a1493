"""Where a loop may stand, for a steer to be asked."""

import torch

from methods.steering import State


def state_at(problem, fraction=0.5, batch=3, step=4):
    level = problem.backbone.level(fraction)
    x = problem.noise((batch, *problem.backbone.latent_shape), "test")
    x = problem.backbone.solver("ddpm", 1).initial(x)
    with torch.no_grad():
        x0 = problem.backbone.posterior_mean(x, level, problem.condition)
    return State(x, x0, level, step, 10)
