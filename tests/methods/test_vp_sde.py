"""A flow model along the variance-preserving interpolant: RBF's numbers, the prior's samples."""

import pytest
import torch

from bench.backbones.levels import mean_of, model_input, output_of
from bench.backbones.settings import check_solver
from bench.backbones.vp_sde import VpSde
from methods.interfaces import CLEAN, Level
from methods.loop import denoise
from methods.method import Method
from methods.path import flow_time
from methods.sample import sample

FLOW = "flow_prediction"


def level_of(alpha, sigma):
    time = flow_time(alpha, sigma)
    return Level(1000 * time, alpha, sigma, time)


def solver(steps=10, norm=3.0):
    return VpSde(steps, norm, level_of, torch.float64)


@pytest.mark.parametrize(
    ("index", "times", "mean", "after"),
    [  # of rbf/prior/flux.py and denoise_schedulers, KAIST-Visual-AI-Group's
        # Flow-Inference-Time-Scaling at b65bb07, for a model of velocity 0.7 z − 0.3 + 0.1 z²
        (0, [1.0, 0.993471], [-0.206269, 0.403387, 0.510984], [-1.066828, 0.17877, 2.008224]),
        (
            3,
            [0.953939, 0.989798],
            [-0.207542, 0.403032, 0.517065],
            [-0.769585, -0.181868, 1.855655],
        ),
        (8, [0.6, 0.859087], [-0.252482, 0.386125, 0.691374], [-0.876884, -0.017909, 1.984182]),
    ],
)
def test_a_step_is_that_of_rbf_s_official_code(index, times, mean, after):
    made = solver()
    level = made.levels[index]
    assert (made.times[index], level.fraction) == pytest.approx(times, abs=1e-6)
    x, z = torch.tensor([-1.2, 0.4, 2.0]).double(), torch.tensor([0.5, -1.0, 0.25]).double()
    seen = model_input(x, level, FLOW)
    x0 = mean_of(0.7 * seen - 0.3 + 0.1 * seen**2, x, level, FLOW)
    torch.testing.assert_close(x0, torch.tensor(mean).double(), atol=2e-6, rtol=1e-6)
    found = made.step(x0, index, x, z)
    torch.testing.assert_close(found, torch.tensor(after).double(), atol=2e-6, rtol=1e-6)


def test_a_model_output_off_the_path_of_flow_matching_says_the_same_mean():
    g = torch.Generator().manual_seed(0)
    x, output = (torch.randn(2, 3, generator=g).double() for _ in range(2))
    for level in (solver().levels[4], Level(300.0, 0.7, 0.3, 0.3)):
        mean = mean_of(output, x, level, FLOW)
        torch.testing.assert_close(output_of(mean, x, level, FLOW), output)
        seen = model_input(x, level, FLOW)
        torch.testing.assert_close(mean, seen - flow_time(level.alpha, level.sigma) * output)


def test_its_transition_is_its_step_s():
    made, g = solver(), torch.Generator().manual_seed(0)
    x, x0, z = (torch.randn(2, 3, generator=g).double() for _ in range(3))
    for index in (0, 4, 9):
        slope, std = made.transition(index)
        here = made.step(x0, index, x, z)
        torch.testing.assert_close(made.step(x0 + 1, index, x, z) - here, slope + 0 * x)
        torch.testing.assert_close(made.step(x0, index, x, z + 1) - here, std + 0 * x)
    assert torch.equal(made.step(x0, 9, x, z), x0) and made.end == CLEAN


def test_it_samples_the_prior_where_the_posterior_mean_is_known(on_mixture):
    problem = on_mixture(path="flow", images=4000, solver="vp_sde", steps=150)
    made = sample(problem, Method("vanilla")).latents
    prior = problem.condition.prior
    weights = prior.log_weights.softmax(-1).squeeze(0)
    mean = weights @ prior.means
    spread = prior.covariances + torch.einsum("ki,kj->kij", *(2 * [prior.means - mean]))
    covariance = torch.einsum("k,kij->ij", weights, spread)
    scale = float(covariance.diagonal().max())
    torch.testing.assert_close(made.mean(0), mean, atol=0.08 * scale**0.5, rtol=0)
    torch.testing.assert_close(made.T.cov(), covariance, atol=0.08 * scale, rtol=0)


def test_without_noise_it_is_the_ode_of_the_same_model(on_mixture):
    """norm → 0 of the same equation: it ends where fine steps of DDIM end."""
    problem = on_mixture(path="flow", images=8)
    x = problem.initial(8).double()
    made = denoise(problem, solver(800, 1e-9), x)
    levels = solver(800).levels
    other = denoise(problem, problem.backbone.solver("ddim", 800), x)
    assert levels[0].alpha < 0.01
    torch.testing.assert_close(made, other, atol=0.05, rtol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sde": 0.0}, "sde must be above 0"),
        ({"sde": -1.0}, "sde must be a number >= 0"),
        ({"sde": 1.0, "eta": 1.0}, "sde stands alone"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        check_solver("solvers.vp_sde", settings)
