"""Samples of p(x_0 | x_t): ancestral and GLASS against the exact posterior."""

import pytest
import torch

from bench.mixture.backbone import MixtureBackbone
from methods.kernel import GAUSSIAN
from methods.posterior import ancestral, descent, glass

PROMPT = "separated mixture 1 of seed 3"
N = 4000


@pytest.fixture(params=["vp", "flow"])
def world(request):
    backbone = MixtureBackbone(2, 3, request.param)
    return backbone, backbone.encode(PROMPT)


def drawn(world, way, steps, fraction=0.6, n=N):
    backbone, condition = world
    level = backbone.level(fraction)
    g = torch.Generator().manual_seed(0)
    x = torch.tensor([[0.4, -0.8]]).double().expand(n, 2)
    mean = backbone.posterior_mean(x, level, condition)
    levels = descent(backbone, level, steps)
    noise = torch.randn(steps, n, 2, generator=g).double()
    if way == "glass":
        samples = glass(backbone, condition, x, mean, levels, noise[0])
    else:
        samples = ancestral(backbone, GAUSSIAN, condition, x, mean, levels, noise, eta=1.0)
    return samples, condition.prior.posterior(x[:1], level.alpha, level.sigma)


@pytest.mark.parametrize("way", ["sde", "glass"])
def test_many_steps_give_the_exact_posterior(world, way):
    samples, posterior = drawn(world, way, steps=200)
    g = torch.Generator().manual_seed(1)
    exact = posterior.sample(torch.rand(1, N, generator=g), torch.randn(1, N, 2, generator=g))[0]
    torch.testing.assert_close(samples.mean(0), exact.mean(0), atol=0.06, rtol=0)
    torch.testing.assert_close(samples.T.cov(), exact.T.cov(), atol=0.08, rtol=0)
    for direction in ([1.0, 0.0], [0.6, -0.8]):
        along = torch.tensor(direction).double()
        assert kolmogorov_smirnov(samples @ along, exact @ along) < 0.05


def kolmogorov_smirnov(a, b):
    """The largest gap between two empirical distribution functions."""
    at = torch.cat([a, b]).sort().values
    shares = [torch.searchsorted(s.sort().values, at, right=True) / len(s) for s in (a, b)]
    return float((shares[0] - shares[1]).abs().max())


def test_one_step_ends_at_the_posterior_mean(world):
    for way in ("sde", "glass"):
        samples, posterior = drawn(world, way, steps=1, n=5)
        torch.testing.assert_close(samples, posterior.mean().expand(5, 2))


def test_the_descent_is_even_in_time_and_ends_clean(world):
    levels = descent(world[0], world[0].level(0.8), 4)
    assert [level.fraction for level in levels] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    assert levels[-1].sigma == 0


def test_on_a_discrete_grid_the_descent_takes_what_levels_there_are(backbone):
    levels = descent(backbone, backbone.level(0.002), 5)
    sigmas = [level.sigma for level in levels]
    assert sigmas == sorted(sigmas, reverse=True) and len(set(sigmas)) == len(sigmas) <= 6
