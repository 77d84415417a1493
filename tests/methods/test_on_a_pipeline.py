"""Every method's config on a Stable Diffusion pipeline of tiny random weights."""

from dataclasses import replace

import pytest
import torch
from calls import expected

from bench.run.measure import Task, measure
from methods.method import Method
from methods.sample import sample
from tests.small import METHODS, STILL, small_method


@pytest.mark.parametrize("name", METHODS)
def test_a_method_runs_costs_what_it_says_and_repeats_itself(problem, name):
    method = small_method(name)
    solver = "ddim" if name in STILL else "ddpm"
    problem = replace(problem, images=2, solver=solver)
    task = Task(problem.backbone, problem.reward, solver, 4, 2, 0)
    first, second = (measure(task, method, problem.prompt) for _ in range(2))
    assert first.delivered.shape == (2, 8, 8, 3)
    assert first.delivered.tobytes() == second.delivered.tobytes()
    phases = first.calls.values()
    counted = {k: sum(p[k] for p in phases) for k in next(iter(phases))}
    if "rollout" not in method.estimators:  # its last levels have none between them here
        steps = 4 * method.steps_factor
        levels = problem.backbone.solver(solver, steps).levels
        fractions = [level.fraction for level in levels]
        formula = expected(method, problem.images, steps, e=2, fractions=fractions)
        assert counted == {k: formula[k] for k in counted}


@pytest.mark.parametrize("name", ["date", "ug", "ug_full", "das", "lgd", "tfg", "dno"])
def test_gradients_reach_through_the_real_classes(problem, name):
    """Steered samples differ from vanilla's, and nothing keeps a graph."""
    steered = sample(problem, small_method(name))
    assert not steered.latents.requires_grad
    assert not torch.equal(steered.latents, sample(problem, Method("vanilla")).latents)
    pipeline = problem.backbone.pipeline
    modules = (pipeline.unet, pipeline.vae, pipeline.text_encoder)
    assert all(p.grad is None for module in modules for p in module.parameters())
