"""Particles differentiated some at a time: the same samples and calls, and a smaller graph."""

from dataclasses import replace

import pytest
import torch

from bench.run.measure import Task, measure
from methods.sample import sample
from tests.small import small_method

DERIVING = ["ug", "ug_full", "lgd", "tfg", "date", "das"]


@pytest.mark.parametrize("graph", [1, 3])
@pytest.mark.parametrize("name", DERIVING)
def test_gradients_of_some_particles_at_a_time_make_the_same_samples(problem, name, graph):
    whole, parts = (
        measure(
            Task(problem.backbone, problem.reward, "ddpm", 4, 4, 0, graph=limit),
            small_method(name),
            problem.prompt,
        )
        for limit in (None, graph)
    )
    difference = whole.delivered.astype(int) - parts.delivered.astype(int)
    assert abs(difference).max() <= 1  # a rounding of the last of eight bits
    assert parts.calls == whole.calls


@pytest.mark.parametrize("name", DERIVING)
def test_no_graph_holds_more_particles_than_the_limit(problem, name):
    held = []

    class Watched(type(problem.backbone)):
        def posterior_mean(self, x, level, condition):
            found = super().posterior_mean(x, level, condition)
            held.append(len(x) if found.requires_grad else 0)
            return found

        def decode(self, x0):
            found = super().decode(x0)
            held.append(len(x0) if found.requires_grad else 0)
            return found

    full = problem.backbone
    watched = Watched(full.pipeline, full.solvers, full.guidance)
    method = small_method(name)
    sample(replace(problem, backbone=watched, graph=2), method)
    around = {"lgd": 8, "tfg": 2}.get(name, 1)  # perturbed copies of each particle
    assert max(held) == 2 * around


def test_a_limit_beyond_all_particles_changes_no_bit(problem):
    method = small_method("das")
    whole, limited = (sample(replace(problem, graph=limit), method) for limit in (None, 9))
    assert torch.equal(whole.latents, limited.latents)
