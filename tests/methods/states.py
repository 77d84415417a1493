"""Where a loop may stand, for an estimator or a steer to be asked."""

from dataclasses import replace

import torch

from methods.loop import Acting
from methods.method import Method
from methods.sample import Run
from methods.state import Prepared, Step


def step_at(problem, estimators=None, fraction=0.5, batch=3, index=4, x=None, graph=False):
    """A step in front of level t/T = ``fraction``, particles drawn by the ledger, or ``x``."""
    estimators = estimators or {}
    prepared = Prepared(estimators, {name: e.prepare(problem) for name, e in estimators.items()})
    solver = problem.backbone.solver(problem.solver, 10)
    if x is None:
        shape = problem.backbone.latent_shape
        x = torch.stack([problem.noise(shape, "test", i) for i in range(batch)])
        x = solver.initial(x)
    level = problem.backbone.level(fraction)
    x = x.detach().requires_grad_(graph)
    return Step(problem, solver, x, level, index, 10, problem.condition, prepared)


def begun(problem, steer, estimators=None, particles=None):
    """A steer's memory at the beginning of a run of so many particles."""
    method = Method("one", estimators or {}, {"steer": steer})
    images = (particles or problem.images) // steer.candidates
    run = Run(replace(problem, images=images, candidates=steer.candidates), method)
    (acting,) = run.acting()
    assert isinstance(acting, Acting)
    return acting.memory
