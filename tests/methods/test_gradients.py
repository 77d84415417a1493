"""Derivatives: exact in float32, and not lost on their way through half precision."""

import torch

from methods.gradients import derivative


def test_in_float32_the_scale_changes_no_bit():
    g = torch.Generator().manual_seed(0)
    x, w = torch.randn(50, generator=g), torch.randn(50, generator=g)
    one, two = (x.clone().requires_grad_() for _ in range(2))
    (plain,) = torch.autograd.grad((one * w).tanh().sum(), one)
    assert torch.equal(derivative((two * w).tanh().sum(), two), plain)


def test_what_half_precision_would_round_to_nothing_arrives():
    """The mean over a million values: each derivative, 1e-8 and less, is below float16's range."""
    x = torch.ones(4, requires_grad=True)

    def tiny(x):
        return (x.half() * 1.0).float().mean() * 1e-7

    (lost,) = torch.autograd.grad(tiny(x), x)
    kept = derivative(tiny(x), x)
    assert not lost.any()
    torch.testing.assert_close(kept, torch.full((4,), 0.25e-7), rtol=0.02, atol=0)


def test_embeddings_in_half_precision_are_moved_in_single(problem):
    """A step of length 0.1 is below the resolution of a half-precision embedding."""
    from dataclasses import replace

    from states import begun, step_at

    from methods.steer import Embedding

    condition = problem.condition
    half = condition.moved(condition.embedding.bfloat16())
    steer, problem = Embedding(scale=1e-3, every=1), replace(problem, condition=half)
    memory = begun(problem, steer, particles=2)
    moved = steer.condition(step_at(problem, batch=2), memory).embedding
    assert moved.dtype == torch.float32
    length = (moved - half.embedding.float()).flatten(1).norm(dim=1)
    torch.testing.assert_close(length, torch.full((2,), 1e-3), rtol=1e-2, atol=0)
