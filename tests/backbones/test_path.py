"""The continuous solvers: their order of accuracy, their end, their history."""

from functools import cache

import pytest
import torch

from bench.mixture.backbone import SOLVERS, MixtureBackbone
from bench.mixture.solver import PATHS, PathSolver, level_at, log_snr
from bench.noise import Ledger
from methods.method import Method
from methods.problem import Problem
from methods.sample import sample

PROMPT = "overlapping mixture 0 of seed 0"


@cache
def end(path, solver, steps):
    backbone = MixtureBackbone(2, 3, path)
    condition = backbone.encode(PROMPT)
    problem = Problem(backbone, None, Ledger(0, PROMPT), PROMPT, condition, 50, solver, steps)
    return sample(problem, Method("vanilla")).latents


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("solver", "factor"), [("ddim", 3.5), ("dpm", 8)])
def test_four_times_the_steps_cut_the_error_by_the_solver_s_order(path, solver, factor):
    """First order: by 4. Second order: by 16, less what the first-order ends take away."""
    truth = end(path, "dpm", 4000)
    errors = [float((end(path, solver, steps) - truth).norm()) for steps in (40, 160)]
    assert errors[0] / errors[1] > factor


@pytest.mark.parametrize("path", PATHS)
def test_dpm_s_few_steps_beat_ddim_s(path):
    truth = end(path, "dpm", 4000)
    error = {s: float((end(path, s, 20) - truth).norm()) for s in ("ddim", "dpm")}
    assert error["dpm"] < error["ddim"] / 2


def test_levels_run_evenly_from_noise_to_above_clean():
    solver = PathSolver("vp", 4, eta=1.0)
    assert [level.fraction for level in solver.levels] == [1.0, 0.75, 0.5, 0.25]
    for level in solver.levels:
        assert level.alpha**2 + level.sigma**2 == pytest.approx(1)
    assert level_at("flow", 0.0).sigma == 0
    assert log_snr(level_at("flow", 1.0)) == -float("inf")
    assert log_snr(level_at("flow", 0.0)) == float("inf")


@pytest.mark.parametrize("kind", SOLVERS)
def test_the_last_step_ends_at_the_posterior_mean(kind):
    solver = MixtureBackbone(2, 3, "vp").solver(kind, 3)
    x, x0 = torch.ones(2, 2).double(), torch.full((2, 2), 5.0).double()
    torch.testing.assert_close(solver.step(x0, 2, x, torch.ones(2, 2).double()), x0)


def test_history_follows_a_resampling():
    x = torch.arange(6.0).double().reshape(3, 2)
    order = torch.tensor([2, 0, 0])
    ours, theirs = (PathSolver("vp", 4, multistep=True) for _ in range(2))
    after = ours.step(x + 1, 0, x, None)[order]
    ours.select(order)
    expected = theirs.step((x + 1)[order], 0, x[order], None)
    torch.testing.assert_close(after, expected)
    again = [s.step(2 * x[order], 1, after, None) for s in (ours, theirs)]
    torch.testing.assert_close(*again)


def test_the_mixture_refuses_a_guidance_weight_and_an_unknown_kind_of_prompt():
    backbone = MixtureBackbone(2, 3, "vp")
    with pytest.raises(ValueError, match="no classifier-free guidance"):
        backbone.encode(PROMPT, 7.5)
    with pytest.raises(ValueError, match="did you mean 'separated'"):
        backbone.encode("seperated mixture 1")


def test_problems_are_the_same_whenever_they_are_asked_for():
    first, second = (MixtureBackbone(3, 4, "vp").encode(PROMPT).prior for _ in range(2))
    assert torch.equal(first.means, second.means)
    assert torch.linalg.eigvalsh(first.covariances).min() > 0
    other = MixtureBackbone(3, 4, "vp").encode(PROMPT.replace("0 of", "1 of")).prior
    assert not torch.equal(first.means, other.means)
