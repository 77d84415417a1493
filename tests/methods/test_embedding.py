"""Embedding guidance: how the embedding moves, and what is reused."""

from dataclasses import replace

import pytest
import torch
from states import begun, step_at

from bench.backbones.latent import Limits
from methods.method import Method
from methods.steer import (
    Embedding,
)
from methods.steer.embedding import ascend

VANILLA = Method("vanilla")


def test_the_embedding_climbs_by_the_stated_length_and_stays(on_mixture):
    problem = on_mixture()
    steer = Embedding(scale=0.3, every=2)
    memory, step = begun(problem, steer, particles=3), step_at(problem, index=4)
    given = problem.condition.embedding
    moved = steer.condition(step, memory).embedding
    assert moved.shape == (3, 3)
    torch.testing.assert_close((moved - given).norm(dim=1), torch.full((3,), 0.3).double())
    before, after = (
        problem.score(problem.backbone.posterior_mean(step.x, step.level, c))
        for c in (problem.condition, problem.condition.moved(moved))
    )
    assert (after > before).all()
    kept = steer.condition(step_at(problem, index=5), memory).embedding
    assert torch.equal(kept, moved)  # step 5 does not update, and keeps what step 4 found


def test_the_embedding_s_direction_is_the_reward_s_gradient_less_the_prior_s(on_mixture):
    problem = on_mixture()
    state = step_at(problem, batch=1, index=0)
    steer = Embedding(scale=0.2, inner=2, prior=3.0)
    c = given = problem.condition.embedding
    for _ in range(2):
        at = c.clone().requires_grad_()
        mean = problem.backbone.posterior_mean(state.x, state.level, problem.condition.moved(at))
        goal = problem.score(mean).sum() - 3.0 * (at - given).square().mean()
        (gradient,) = torch.autograd.grad(goal, at)
        c = c + 0.2 * gradient / gradient.norm()
    found = steer.condition(state, begun(problem, steer, particles=1))
    torch.testing.assert_close(found.embedding, c)


def test_a_zero_gradient_moves_nothing_and_makes_no_nan():
    c = torch.randn(2, 3, 4)
    gradient = torch.stack([torch.zeros(3, 4), torch.ones(3, 4)])
    moved = ascend(c, gradient, 0.5)
    assert torch.equal(moved[0], c[0])
    assert float((moved[1] - c[1]).norm()) == pytest.approx(0.5, rel=1e-5)


def test_on_a_pipeline_the_unconditional_score_is_used_again(problem):
    state = step_at(problem)
    backbone, condition = problem.backbone, problem.condition
    empty = backbone.unconditional(state.x, state.level, condition)
    again = condition.moved(condition.embedding.expand(3, -1, -1), empty)
    assert (condition.evaluations, again.evaluations) == (2, 1)
    one, two = (backbone.posterior_mean(state.x, state.level, c) for c in (condition, again))
    torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


def test_embeddings_differ_by_sample_also_when_the_batch_is_split(problem):
    state = step_at(problem, batch=5)
    backbone, condition = problem.backbone, problem.condition
    g = torch.Generator().manual_seed(0)
    noise = torch.randn(5, *condition.embedding.shape[1:], generator=g)
    moved = condition.moved(condition.embedding + noise)
    whole = backbone.posterior_mean(state.x, state.level, moved)
    small = replace(backbone, limits=Limits(4, 4))
    parts = small.posterior_mean(state.x, state.level, moved)
    torch.testing.assert_close(whole, parts, atol=1e-4, rtol=1e-4)
    alone = condition.moved(moved.embedding[3:4])
    single = backbone.posterior_mean(state.x[3:4], state.level, alone)
    torch.testing.assert_close(whole[3:4], single, atol=1e-4, rtol=1e-4)
