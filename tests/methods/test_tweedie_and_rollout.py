"""Tweedie and rollout against autograd, naive loops and each other."""

import math

import pytest
import torch
from states import step_at

from methods.efr.rollout import RolloutEstimator, rollout_shift
from methods.efr.tweedie import TweedieEstimator
from methods.interfaces import Level
from methods.path import ancestral_step, transition_std
from methods.potentials import log_mean_exp


def test_tweedie_shift_is_the_scaled_gradient_of_its_value(problem):
    estimators = {"tweedie": TweedieEstimator(scale=3.0)}
    step = step_at(problem, estimators, graph=True)
    x, shift = step.x, step.shift()
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    direction /= direction.norm()
    width = 1e-2

    def value(z):
        with torch.no_grad():
            return float(step_at(problem, estimators, x=z).value().double().sum())

    slope = (value(x + width * direction) - value(x - width * direction)) / (2 * width)
    expected = step.level.sigma**2 / step.level.alpha * slope
    assert float((shift * direction).sum()) == pytest.approx(expected, rel=0.05, abs=1e-3)


def test_tweedie_value_is_lambda_times_the_reward_of_the_posterior_mean(problem):
    with torch.no_grad():
        step = step_at(problem, {"tweedie": TweedieEstimator(scale=2.0)})
        reward = problem.reward(problem.backbone.decode(step.x0), problem.prompt)
        torch.testing.assert_close(step.value(), 2 * reward)


@torch.no_grad()
def test_one_step_rollouts_equal_tweedie_in_value_and_do_not_shift(problem):
    rollout, tweedie = RolloutEstimator(n=3, steps=1, scale=2.0), TweedieEstimator(scale=2.0)
    step = step_at(problem, {"rollout": rollout, "tweedie": tweedie})
    values = step.value("rollout"), step.value("tweedie")
    torch.testing.assert_close(*values, atol=1e-4, rtol=1e-4)
    assert step.shift("rollout").abs().max() < 1e-5


@torch.no_grad()
def test_rollouts_equal_a_naive_loop_one_particle_at_a_time(problem):
    backbone = problem.backbone
    step = step_at(problem, {"r": RolloutEstimator(n=2, steps=3, scale=1.5)}, batch=2, index=5)
    x, level, shifts = step.x, step.level, step.shift()
    levels = [level] + [backbone.level(level.fraction * f) for f in (2 / 3, 1 / 3, 0.0)]
    for particle in range(2):
        ends, rewards = [], []
        for i in range(2):
            z = x[particle : particle + 1]
            for j in range(3):
                mean = backbone.posterior_mean(z, levels[j], problem.condition)
                noise = problem.noise((2, 3, 4, 8, 8), "rollout", particle, 0, 5)[i, j]
                z = ancestral_step(z, mean, levels[j], levels[j + 1], noise[None])
            ends.append(z[0])
            rewards.append(float(problem.score(z)))
        weights = [math.exp(1.5 * (r - max(rewards))) for r in rewards]
        mean = sum(ends) / 2
        tilted = sum(w * e for w, e in zip(weights, ends, strict=True)) / sum(weights)
        torch.testing.assert_close(shifts[particle], tilted - mean, atol=2e-4, rtol=1e-3)


def test_rollout_value_and_shift_of_given_samples_equal_their_definitions():
    g = torch.Generator().manual_seed(1)
    samples, rewards = torch.randn(2, 5, 3, generator=g), torch.randn(2, 5, generator=g)
    value = (4 * rewards).exp().mean(1).log()
    torch.testing.assert_close(log_mean_exp(4.0 * rewards), value)
    w = (4 * rewards).exp()
    expected = (w[..., None] * samples).sum(1) / w.sum(1, keepdim=True) - samples.mean(1)
    torch.testing.assert_close(rollout_shift(samples, rewards, 4.0), expected)


def test_rollout_shift_survives_huge_scales_and_vanishes_for_equal_rewards():
    samples = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(2))
    rewards = torch.tensor([[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]])
    shift = rollout_shift(samples, rewards, 5000.0)
    torch.testing.assert_close(shift[0], samples[0, 3] - samples[0].mean(0))
    torch.testing.assert_close(shift[1], torch.zeros(3))


@pytest.mark.parametrize("bad", [{"n": 0}, {"steps": 0}, {"scale": -1.0}, {"scale": float("nan")}])
def test_rollout_settings_out_of_range_name_the_key_and_the_range(bad):
    (key,) = bad
    with pytest.raises(ValueError, match=f"{key} must be an? (integer|number) >= "):
        RolloutEstimator(**bad)


@pytest.mark.parametrize("path", ["vp", "flow"])
def test_ancestral_steps_preserve_the_marginals_of_a_gaussian(path):
    """x_0 ~ N(0, 1): the exact posterior mean keeps x_s's variance at α_s² + σ_s²."""

    def level(f):
        pair = (math.cos(f * 1.5), math.sin(f * 1.5)) if path == "vp" else (1 - f, f)
        return Level(f, *pair, f)

    start, end = level(0.7), level(0.4)
    g = torch.Generator().manual_seed(3)
    n = 200_000
    x0 = torch.randn(n, generator=g, dtype=torch.float64)
    x = start.alpha * x0 + start.sigma * torch.randn(n, generator=g, dtype=torch.float64)
    z = torch.randn(n, generator=g, dtype=torch.float64)
    # With the true x_0 in place of its mean, the step must sample q(x_s | x_0) marginally.
    moved = ancestral_step(x, x0, start, end, z)
    assert float(moved.var()) == pytest.approx(end.alpha**2 + end.sigma**2, rel=0.02)
    residual = moved - end.alpha * x0
    assert float(residual.var()) == pytest.approx(end.sigma**2, rel=0.02)
    assert transition_std(start, end, eta=0.0) == 0.0
