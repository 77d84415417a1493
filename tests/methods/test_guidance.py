"""Guidance's control of its length, and settings out of range of all the new methods."""

from dataclasses import dataclass

import pytest
import torch
from states import step_at

from methods.base import Estimator
from methods.efr import LookaheadEstimator, TweedieEstimator
from methods.gradients import lengths
from methods.method import Method
from methods.sample import sample
from methods.steer import Dno, Guidance, Restart, Tfg


@pytest.mark.parametrize("path", ["vp", "flow"])
def test_relative_guidance_moves_the_prediction_by_s_times_its_norm(on_mixture, path):
    problem = on_mixture(path=path)
    estimators = {"tweedie": TweedieEstimator(3.0)}
    for relative in ("velocity", "noise"):
        step = step_at(problem, estimators, graph=True)
        shift = Guidance(scale=0.2, relative=relative).shift(step, {}).detach()
        alpha, sigma, x, x0 = step.level.alpha, step.level.sigma, step.x, step.x0
        before = (x - x0) / sigma if relative == "velocity" else (x - alpha * x0) / sigma
        moved = shift / sigma if relative == "velocity" else alpha * shift / sigma
        torch.testing.assert_close(lengths(moved), 0.2 * lengths(before).detach())
        cosine = torch.cosine_similarity(shift, step.shift(), dim=1)
        torch.testing.assert_close(cosine, torch.ones(3).double())


@pytest.mark.parametrize(("fraction", "steepest"), [(0.5, False), (0.99, True)])
def test_relative_to_the_gradient_guidance_gives_it_the_norm_s(on_mixture, fraction, steepest):
    problem = on_mixture(path="flow")
    step = step_at(problem, {"tweedie": TweedieEstimator(3.0)}, fraction, graph=True)
    shift = Guidance(scale=0.2, relative="gradient").shift(step, {}).detach()
    alpha, sigma = step.level.alpha, step.level.sigma
    slope = 20 if steepest else sigma / alpha
    wanted = torch.full((3, 1), 0.2 * sigma * slope).double()
    torch.testing.assert_close(lengths(shift), wanted)
    cosine = torch.cosine_similarity(shift, step.shift(), dim=1)
    torch.testing.assert_close(cosine, torch.ones(3).double())


def test_relative_guidance_lets_what_is_not_finite_be_seen(on_mixture):
    @dataclass(frozen=True)
    class Broken(Estimator):
        requires, scale = frozenset(), 1.0

        def shift(self, step, ready):
            return torch.full_like(step.x, float("nan"))

    steers = {"guidance": Guidance(relative="velocity")}
    with pytest.raises(FloatingPointError, match="out of range"):
        sample(on_mixture(), Method("b", {"broken": Broken()}, steers))


def test_no_shift_moves_the_noise_prediction_where_all_is_noise(on_mixture):
    estimators = {"lookahead": LookaheadEstimator(n=20, steps=3, scale=3.0)}
    for path in ("vp", "flow"):
        step = step_at(on_mixture(path=path), estimators, fraction=1.0)
        assert not Guidance(scale=0.2, relative="noise").shift(step, {}).any()


def test_clipped_guidance_keeps_its_direction_and_bounds_its_root_mean_square(on_mixture):
    estimators = {"lookahead": LookaheadEstimator(n=20, steps=3, scale=3.0)}
    step = step_at(on_mixture(), estimators)
    raw = Guidance(scale=2.0).shift(step, {})
    rms = lengths(raw) / 2**0.5
    bound = float(rms.median())
    clipped = Guidance(scale=2.0, clip=bound).shift(step, {})
    torch.testing.assert_close(lengths(clipped) / 2**0.5, rms.clamp(max=bound))
    torch.testing.assert_close(torch.cosine_similarity(raw, clipped), torch.ones(3).double())


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Guidance(relative="speed"), "relative must be one of velocity, noise"),
        (lambda: Guidance(clip=-1.0), "clip must be a number >= 0"),
        (lambda: Restart(repeats=-1), "repeats must be an integer >= 0"),
        (lambda: Restart(interval=(0.5, 0.2)), r"interval must be \[low, high\]"),
        (lambda: Dno(iterations=-1), "iterations must be an integer >= 0"),
        (lambda: Dno(rate=-0.1), "rate must be a number >= 0"),
        (lambda: Tfg(rho_schedule="rising"), "rho_schedule must be one of increase"),
        (lambda: Tfg(draws=0), "draws must be an integer >= 1"),
        (
            lambda: Tfg(sigma_schedule="increase"),
            "sigma_schedule must be one of decrease, constant",
        ),
    ],
)
def test_settings_out_of_range_name_the_key_and_what_is_allowed(made, message):
    with pytest.raises(ValueError, match=message):
        made()
