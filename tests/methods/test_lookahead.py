"""Lookahead against autograd, naive loops and Bayes on a point-mass mixture."""

import pytest
import torch

from methods.efr.lookahead import Lookahead, LookaheadEstimator

SHAPE = (2, 3, 3)


def drawn(n=7, batch=4, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    samples = torch.randn(n, *SHAPE, generator=g, dtype=torch.float64)
    rewards = torch.randn(n, generator=g, dtype=torch.float64)
    x = torch.randn(batch, *SHAPE, generator=g, dtype=torch.float64)
    return samples.to(dtype), rewards.to(dtype), x.to(dtype)


@pytest.mark.parametrize(("alpha", "sigma"), [(0.9, 0.43), (0.5, 0.87), (0.07, 0.99), (0.4, 0.6)])
@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_shift_is_sigma_squared_over_alpha_times_the_gradient_of_value(alpha, sigma, scale):
    samples, rewards, x = drawn()
    x.requires_grad_(True)
    estimate = Lookahead(samples, rewards, scale)
    (gradient,) = torch.autograd.grad(estimate.value(x, alpha, sigma).sum(), x)
    expected = sigma**2 / alpha * gradient
    error = (estimate.shift(x, alpha, sigma) - expected).norm()
    assert error <= 1e-9 * max(float(expected.detach().norm()), 1e-3)


def test_value_and_shift_equal_a_naive_loop():
    samples, rewards, x = drawn()
    alpha, sigma, scale = 0.6, 0.8, 2.5
    estimate = Lookahead(samples, rewards, scale)
    for b, point in enumerate(x):
        d = [((point - alpha * s) ** 2).sum() / (2 * sigma**2) for s in samples]
        tilted = torch.stack([(scale * r - e).exp() for r, e in zip(rewards, d, strict=True)])
        base = torch.stack([(-e).exp() for e in d])
        value = (tilted.sum() / base.sum()).log()
        weights = tilted / tilted.sum() - base / base.sum()
        shift = sum(w * s for w, s in zip(weights, samples, strict=True))
        torch.testing.assert_close(estimate.value(x, alpha, sigma)[b], value)
        torch.testing.assert_close(estimate.shift(x, alpha, sigma)[b], shift)


def test_shift_equals_the_naive_broadcast_to_a_millionth():
    alpha, sigma, scale = 0.8, 0.6, 5000.0
    g = torch.Generator().manual_seed(0)
    samples = torch.randn(50, 4, generator=g, dtype=torch.float64)
    x = alpha * samples[:4] + sigma * torch.randn(4, 4, generator=g, dtype=torch.float64)
    rewards = torch.randn(50, generator=g, dtype=torch.float64) / scale
    d = (x[:, None] - alpha * samples[None]).square().sum(dim=-1) / (2 * sigma**2)
    weights = torch.softmax(scale * rewards - d, dim=-1) - torch.softmax(-d, dim=-1)
    expected = (weights[..., None] * samples[None]).sum(dim=1)
    assert float(expected.norm()) > 0.1
    found = Lookahead(samples, rewards, scale).shift(x, alpha, sigma)
    assert (found - expected).norm() < 1e-6 * expected.norm()
    single = Lookahead(samples.float(), rewards.float(), scale).shift(x.float(), alpha, sigma)
    assert (single - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_shift_keeps_dtype_and_device_and_survives_saturated_softmaxes(dtype):
    samples, rewards, x = drawn(dtype=dtype)
    shift = Lookahead(samples, rewards, 5000.0).shift(x, 0.999, 0.03)
    assert shift.dtype == dtype and shift.device == x.device and shift.shape == x.shape
    assert torch.isfinite(shift).all()
    value = Lookahead(samples, rewards, 5000.0).value(x, 0.999, 0.03)
    assert torch.isfinite(value).all() and value.dtype == torch.float32


def test_a_saturated_reward_pulls_towards_the_best_sample():
    samples, rewards, x = drawn()
    alpha, sigma = 0.05, 0.999  # far noise: the prior weights are nearly uniform
    shift = Lookahead(samples, rewards, 5000.0).shift(0 * x, alpha, sigma)
    d = alpha**2 * samples.flatten(1).square().sum(1) / (2 * sigma**2)
    prior = torch.softmax(-d, dim=0)
    expected = samples[rewards.argmax()] - torch.einsum("n,n...->...", prior, samples)
    torch.testing.assert_close(shift[0], expected)


def test_float32_agrees_with_float64_where_the_latents_have_a_large_mean():
    samples, rewards, x = drawn(n=20)
    samples, alpha, sigma = samples + 30.0, 0.98, 0.2
    x = alpha * samples[:4] + sigma * x
    exact = Lookahead(samples, rewards, 3.0).shift(x, alpha, sigma)
    single = Lookahead(samples.float(), rewards.float(), 3.0).shift(x.float(), alpha, sigma)
    assert (single - exact).norm() < 1e-4 * exact.norm() + 1e-4


def test_constant_rewards_give_no_shift_and_no_value_but_the_constant():
    samples, rewards, x = drawn()
    estimate = Lookahead(samples, torch.full_like(rewards, 2.0), 3.0)
    torch.testing.assert_close(estimate.shift(x, 0.5, 0.8), torch.zeros_like(x))
    torch.testing.assert_close(estimate.value(x, 0.5, 0.8), torch.full((4,), 6.0).double())


def test_one_sample_gives_no_shift():
    samples, rewards, x = drawn(n=1)
    assert not Lookahead(samples, rewards, 9.0).shift(x, 0.5, 0.8).any()


def test_bad_shapes_and_scales_are_refused():
    samples, rewards, _ = drawn()
    with pytest.raises(ValueError, match="samples \\(n, …\\) and rewards"):
        Lookahead(samples, rewards[:-1], 1.0)
    with pytest.raises(ValueError, match="scale must be a number >= 0"):
        Lookahead(samples, rewards, -1.0)
    with pytest.raises(ValueError, match="sigma > 0"):
        Lookahead(samples, rewards, 1.0).shift(samples, 1.0, 0.0)
    with pytest.raises(ValueError, match="n must be an integer >= 1"):
        LookaheadEstimator(n=0)


def test_prepare_draws_and_scores_n_samples_of_the_prompt(problem):
    prepared = LookaheadEstimator(n=6, steps=2, scale=1.0).prepare(problem)
    again = LookaheadEstimator(n=3, steps=2, scale=1.0).prepare(problem)
    assert prepared.estimate.samples.shape == (6, 4, 8, 8)
    images = problem.backbone.decode(prepared.estimate.samples)
    torch.testing.assert_close(prepared.estimate.rewards, problem.reward(images, problem.prompt))
    torch.testing.assert_close(
        prepared.estimate.samples[:3], again.estimate.samples, atol=1e-4, rtol=1e-4
    )
