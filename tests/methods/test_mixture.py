"""Closed forms on Gaussian mixtures against quadrature, autograd and Monte Carlo."""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from methods.efr import ExactEstimator
from methods.interfaces import Level
from methods.mixture import GaussianMixture, Quadratic


@dataclass(frozen=True)
class Exact:
    """The exact estimator at any x_t and level, of a prior and a reward alone."""

    prior: GaussianMixture
    reward: Quadratic
    scale: float

    def value(self, x, level):
        return ExactEstimator(self.scale).value(self._at(x, level), self.reward)

    def shift(self, x, level):
        return ExactEstimator(self.scale).shift(self._at(x, level), self.reward)

    def _at(self, x, level):
        problem = SimpleNamespace(condition=SimpleNamespace(prior=self.prior))
        return SimpleNamespace(x=x, level=level, problem=problem)


GRID = torch.linspace(-12, 12, 160001, dtype=torch.float64)


def line(weights=(0.3, 0.7), means=(-1.5, 2.0), widths=(0.4, 0.8)):
    """A mixture on the line."""
    return GaussianMixture(
        torch.tensor(weights).double().log(),
        torch.tensor(means).double().unsqueeze(-1),
        torch.tensor(widths).double().square().reshape(-1, 1, 1),
    )


def plane(k=3, d=3, seed=0):
    g = torch.Generator().manual_seed(seed)
    root = 0.3 * torch.eye(d) + 0.3 * torch.randn(k, d, d, generator=g)
    return GaussianMixture(
        torch.rand(k, generator=g).double().log(),
        torch.randn(k, d, generator=g).double(),
        (root @ root.transpose(1, 2)).double(),
    )


REWARDS = {
    "quadratic": Quadratic(torch.tensor([[0.8]]).double(), torch.tensor([1.1]).double(), -0.4),
    "linear": Quadratic(torch.zeros(1, 1).double(), torch.tensor([-0.7]).double(), 0.2),
}


def integral(values):
    return torch.trapezoid(values, GRID)


@pytest.mark.parametrize("name", REWARDS)
@pytest.mark.parametrize(("alpha", "sigma"), [(0.9, 0.3), (0.5, 0.87), (0.05, 1.0)])
@pytest.mark.parametrize("scale", [0.0, 0.7, 2.0])
def test_value_and_shift_equal_quadrature_on_the_line(name, alpha, sigma, scale):
    prior, reward = line(), REWARDS[name]
    exact = Exact(prior, reward, scale)
    level = Level(0.5, alpha, sigma, 0.5)
    grid = GRID.unsqueeze(-1)
    density = prior.log_prob(grid)
    assert float(integral(density.exp())) == pytest.approx(1, abs=1e-9)
    for x in (-1.0, 0.3, 2.5):
        log_joint = density - (x - alpha * GRID).square() / (2 * sigma**2)
        posterior = (log_joint - log_joint.max()).exp()
        tilt = (scale * reward(grid)).exp()
        value = (integral(posterior * tilt) / integral(posterior)).log()
        mean = integral(posterior * GRID) / integral(posterior)
        tilted = integral(posterior * tilt * GRID) / integral(posterior * tilt)
        at = torch.tensor([[x]], dtype=torch.float64)
        torch.testing.assert_close(exact.value(at, level)[0], value, atol=1e-8, rtol=1e-8)
        torch.testing.assert_close(
            exact.shift(at, level)[0, 0], tilted - mean, atol=1e-8, rtol=1e-8
        )
        ours = prior.posterior(at, alpha, sigma).mean()[0, 0]
        torch.testing.assert_close(ours, mean, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("linear", [False, True])
def test_shift_is_sigma_squared_over_alpha_times_the_gradient_of_value(linear):
    prior = plane()
    g = torch.Generator().manual_seed(5)
    root = torch.randn(3, 3, generator=g).double()
    matrix = torch.zeros(3, 3).double() if linear else root @ root.T
    reward = Quadratic(matrix, torch.randn(3, generator=g).double())
    level = Level(0.5, 0.6, 0.8, 0.5)
    exact = Exact(prior, reward, 1.3)
    x = torch.randn(7, 3, generator=g).double().requires_grad_()
    (gradient,) = torch.autograd.grad(exact.value(x, level).sum(), x)
    expected = level.sigma**2 / level.alpha * gradient
    torch.testing.assert_close(exact.shift(x, level), expected, atol=1e-9, rtol=1e-9)


def test_tweedie_s_formula_holds_for_the_posterior_mean():
    prior, alpha, sigma = plane(), 0.7, 0.5
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    (score,) = torch.autograd.grad(prior.noised(alpha, sigma).log_prob(x).sum(), x)
    expected = (x + sigma**2 * score) / alpha
    mean = prior.posterior(x, alpha, sigma).mean()
    torch.testing.assert_close(mean, expected, atol=1e-10, rtol=1e-10)


def test_tilting_is_multiplying_the_density_by_exp_lambda_r():
    prior, scale = plane(d=2), 0.9
    reward = Quadratic(torch.tensor([[1.0, 0.3], [0.3, 0.5]]).double(), torch.ones(2).double(), 2.0)
    log_mean, tilted = prior.tilted(reward, scale)
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(2)).double()
    expected = prior.log_prob(x) + scale * reward(x) - log_mean
    torch.testing.assert_close(tilted.log_prob(x), expected, atol=1e-9, rtol=1e-9)


def test_a_reward_that_outgrows_the_prior_is_refused():
    steep = Quadratic(-9.0 * torch.eye(1).double(), torch.zeros(1).double())
    with pytest.raises(ValueError, match="cannot be normalised"):
        line().tilted(steep, 1.0)


def test_samples_have_the_mixture_s_moments():
    prior = plane()
    g = torch.Generator().manual_seed(3)
    n = 200_000
    normal, uniform = torch.randn(n, 3, generator=g), torch.rand(n, generator=g)
    drawn = prior.sample(uniform, normal)
    weights = prior.log_weights.softmax(0)
    mean = prior.mean()
    gap = prior.means - mean
    covariance = torch.einsum("k,kij->ij", weights, prior.covariances)
    covariance += torch.einsum("k,ki,kj->ij", weights, gap, gap)
    torch.testing.assert_close(drawn.mean(0), mean, atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), covariance, atol=0.03, rtol=0)


def test_batched_samples_are_those_of_each_mixture():
    prior, n = plane(), 20_000
    x = torch.tensor([[1.0, 0, 0], [0, -1, 2]]).double()
    posterior = prior.posterior(x, 0.8, 0.6)
    g = torch.Generator().manual_seed(4)
    drawn = posterior.sample(torch.rand(2, n, generator=g), torch.randn(2, n, 3, generator=g))
    torch.testing.assert_close(drawn.mean(dim=1), posterior.mean(), atol=0.03, rtol=0)


def test_log_density_of_one_gaussian_is_the_textbook_s():
    one = line((1.0,), (0.5,), (0.3,))
    expected = -((1.2 - 0.5) ** 2) / (2 * 0.09) - math.log(0.3 * math.sqrt(2 * math.pi))
    assert float(one.log_prob(torch.tensor([1.2]).double())) == pytest.approx(expected)


def test_moments_and_expectations_are_those_of_many_samples():
    prior, g = plane(), torch.Generator().manual_seed(6)
    root = torch.randn(3, 3, generator=g).double()
    reward = Quadratic(root @ root.T, torch.randn(3, generator=g).double(), 0.7)
    n = 400_000
    drawn = prior.sample(torch.rand(n, generator=g), torch.randn(n, 3, generator=g))
    torch.testing.assert_close(prior.covariance(), drawn.T.cov(), atol=0.03, rtol=0)
    exact, found = prior.expectation(reward), reward(drawn)
    assert abs(float(found.mean() - exact)) < 4 * float(found.std()) / n**0.5
