"""The methods that look ahead with a student, on a pipeline of tiny random weights with one."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from calls import expected

from bench.backbones.latent import LatentDiffusion
from bench.run.measure import Task, measure
from methods.method import Method
from methods.sample import sample
from tests.small import STUDENTS, small_method

LCM = {"scheduler": "LCMScheduler", "stochastic": True, "denoiser": "lcm", "guidance": 1.0}


@pytest.fixture
def taught(problem):
    """The problem on a backbone with a student: the denoiser, perturbed."""
    full = problem.backbone
    student = deepcopy(full.teacher)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in student.parameters():
            weights += 0.02 * torch.randn(weights.shape, generator=generator)
    solvers = {**full.solvers, "lcm": LCM}
    backbone = LatentDiffusion(full.pipeline, solvers, full.guidance, students={"lcm": student})
    return replace(problem, backbone=backbone)


def measured(problem, method, **options):
    task = Task(problem.backbone, problem.reward, "ddpm", 4, 4, 0, **options)
    return measure(task, method, problem.prompt)


@pytest.mark.parametrize("name", STUDENTS)
def test_it_costs_what_it_says_and_takes_some_particles_at_a_time(taught, name):
    method = small_method(name)
    first, parts = measured(taught, method), measured(taught, method, graph=3)
    assert first.delivered.shape == (4, 8, 8, 3)
    difference = first.delivered.astype(int) - parts.delivered.astype(int)
    assert abs(difference).max() <= 1  # a rounding of the last of eight bits
    assert first.calls == parts.calls
    counted = {k: sum(p[k] for p in first.calls.values()) for k in next(iter(first.calls.values()))}
    if name != "student_rollout":  # its last levels have none between them here
        levels = taught.backbone.solver("ddpm", 4).levels
        formula = expected(method, 4, 4, e=2, fractions=[level.fraction for level in levels])
        assert counted == {k: formula[k] for k in counted}


@pytest.mark.parametrize("name", STUDENTS)
def test_it_asks_the_student_and_not_the_denoiser(taught, name):
    found = sample(taught, small_method(name)).latents
    assert not torch.equal(found, sample(taught, Method("vanilla")).latents)
    other = deepcopy(taught.backbone.students["lcm"])
    with torch.no_grad():
        for weights in other.parameters():
            weights *= 1.1
    changed = replace(taught.backbone, students={"lcm": other})
    assert not torch.equal(
        found, sample(replace(taught, backbone=changed), small_method(name)).latents
    )
    modules = (taught.backbone.teacher, taught.backbone.vae, taught.backbone.students["lcm"])
    assert all(p.grad is None for module in modules for p in module.parameters())
