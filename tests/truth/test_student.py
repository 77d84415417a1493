"""Looking ahead with a student where the truth is known: value, shift, few steps, damping."""

from dataclasses import dataclass, replace
from math import cos, pi, sin

import pytest
import torch
from scipy.integrate import solve_ivp

from bench.mixture import flow_map
from bench.mixture.backbone import MixtureBackbone, MixtureCondition
from bench.mixture.judge import reference, wasserstein
from bench.mixture.reward import MixtureReward
from bench.mixture.solver import PATHS
from bench.noise import Ledger
from methods.base import Steer
from methods.efr import ExactEstimator, RolloutEstimator, StudentEstimator, TweedieEstimator
from methods.interfaces import CLEAN
from methods.method import Method
from methods.mixture import GaussianMixture, Quadratic
from methods.potentials import log_mean_exp
from methods.problem import Problem
from methods.sample import sample
from methods.state import Prepared, Step
from methods.steer import Guidance, Smc

PROMPT = "separated mixture 1 of seed 0"
STOCHASTIC = {"ddpm": {"eta": 1.0}, "flow_map": {"student": True, "eta": 1.0}}
RATES = {  # (α', σ')
    "vp": lambda t: (-pi / 2 * sin(pi * t / 2), pi / 2 * cos(pi * t / 2)),
    "flow": lambda t: (-1.0, 1.0),
}


def problem(path="vp", **options):
    backbone = MixtureBackbone(2, 4, path, **options)
    noise, reward = Ledger(0, PROMPT), MixtureReward("quadratic")
    return Problem(backbone, reward, noise, PROMPT, backbone.encode(PROMPT), 4, "ddpm", 10)


def standing(made, estimators, fraction=0.6, count=5, graph=False):
    """A step of ``count`` particles at t/T = ``fraction``."""
    prepared = Prepared(estimators, {name: e.prepare(made) for name, e in estimators.items()})
    x = 1.5 * made.noise((count, 2), "test").double()
    level, solver = made.backbone.level(fraction), made.backbone.solver("ddpm", 10)
    return Step(made, solver, x.requires_grad_(graph), level, 4, 10, made.condition, prepared)


@pytest.mark.parametrize("path", ["vp", "flow"])
def test_the_value_is_lambda_times_the_reward_where_the_ode_ends(path):
    made = problem(path)
    step = standing(made, {"student": StudentEstimator("flow_map", scale=3.0)}, 0.8)
    prior, rates = made.condition.prior, RATES[path]

    def velocity(t, x):
        """dx/dt = α' E[x_0|x_t] + σ' E[ε|x_t]."""
        alpha, sigma = PATHS[path](t)
        mean = prior.posterior(torch.tensor(x)[None], alpha, sigma).mean()[0].numpy()
        return rates(t)[0] * mean + rates(t)[1] * (x - alpha * mean) / sigma

    for x, value in zip(step.x, step.value(), strict=True):
        near = 1e-6  # where the ODE has all but ended
        found = solve_ivp(velocity, (0.8, near), x.numpy(), method="DOP853", rtol=1e-12, atol=1e-12)
        last = found.y[:, -1]
        mean = prior.posterior(torch.tensor(last)[None], *PATHS[path](near)).mean()
        assert float(value) == pytest.approx(3 * float(made.reward(mean, PROMPT)), abs=1e-9)


@pytest.mark.parametrize("ramp", [False, True])
def test_the_shift_is_the_scaled_gradient_of_the_value(ramp):
    estimators = {"student": StudentEstimator("flow_map", scale=3.0, ramp=ramp)}
    step = standing(problem(), estimators, graph=True)
    shift, level, width = step.shift(), step.level, 1e-5
    for axis in range(2):
        move = width * torch.eye(2).double()[axis]
        values = [replace(step, x=step.x.detach() + m, known={}).value() for m in (move, -move)]
        slope = (values[0] - values[1]) / (2 * width)
        expected = level.sigma**2 / level.alpha * slope.detach()
        torch.testing.assert_close(shift[:, axis], expected, atol=1e-7, rtol=1e-6)


def test_fmtt_s_ramp_is_the_flow_path_s_time_on_every_path():
    plain, ramp = (StudentEstimator("flow_map", ramp=on) for on in (False, True))
    for path in ("vp", "flow"):
        step = standing(problem(path), {"plain": plain, "ramp": ramp}, 0.3)
        alpha, sigma = step.level.alpha, step.level.sigma
        share = step.value("ramp") / step.value("plain")
        torch.testing.assert_close(share, torch.full((5,), alpha / (alpha + sigma)).double())
        if path == "flow":
            assert alpha / (alpha + sigma) == pytest.approx(0.7)


@pytest.mark.parametrize("solvers", [None, STOCHASTIC])
def test_more_steps_are_the_student_s_own_with_noise_of_the_ledger_or_without(solvers):
    made = problem(**({} if solvers is None else {"solvers": solvers}))
    step = standing(made, {"student": StudentEstimator("flow_map", steps=3, scale=2.0)}, count=2)
    student = made.backbone.under("flow_map")
    levels = [made.backbone.level(f) for f in (0.6, 0.4, 0.2)]
    for particle, value in enumerate(step.value()):
        noise = made.noise((3, 2), "student", particle, 0, 4).double()
        x = step.x[particle][None]
        for j, level in enumerate(levels):
            x0, lower = student.posterior_mean(x, level, made.condition), [*levels, CLEAN][j + 1]
            along = (x - level.alpha * x0) / level.sigma
            x = lower.alpha * x0 + lower.sigma * (along if solvers is None else noise[j])
        assert float(value) == pytest.approx(2 * float(made.reward(x0, PROMPT)), abs=1e-10)


def test_rollouts_by_the_student_share_its_jump_and_renoise_it():
    made = problem()
    estimator = RolloutEstimator(n=3, steps=2, scale=2.0, by="student", solver="flow_map")
    step = standing(made, {"rollout": estimator}, count=2)
    student, lower = made.backbone.under("flow_map"), made.backbone.level(0.3)
    jump = student.posterior_mean(step.x, step.level, made.condition)
    value, shift = step.value(), step.shift()
    for p in range(2):
        noise = made.noise((3, 1, 2), "rollout", p, 0, 4)[:, 0].double()
        again = lower.alpha * jump[p] + lower.sigma * noise
        ends = student.posterior_mean(again, lower, made.condition)
        rewards = 2 * made.reward(ends, PROMPT)
        torch.testing.assert_close(value[p], log_mean_exp(rewards))
        tilted = (torch.softmax(rewards, 0)[:, None] * ends).sum(0)
        torch.testing.assert_close(shift[p], tilted - ends.mean(0))


def test_one_step_rollouts_by_the_student_all_end_at_its_jump():
    one = RolloutEstimator(n=3, steps=1, scale=2.0, by="student", solver="flow_map")
    estimators = {"one": one, "student": StudentEstimator("flow_map", scale=2.0)}
    step = standing(problem(), estimators)
    torch.testing.assert_close(step.value("one"), step.value("student"))
    assert not step.shift("one").any()


def test_the_student_is_differentiated_and_the_denoiser_is_not():
    @dataclass(frozen=True)
    class Watching(Steer):
        requires = frozenset({"shift"})

        def shift(self, step, memory):
            seen.append((step.x.requires_grad, step.x0.requires_grad))
            return step.shift(self.efr)

    for estimator, through in [(StudentEstimator("flow_map", ramp=True), False),
                               (TweedieEstimator(), True)]:  # fmt: skip
        seen = []
        sample(problem(), Method("w", {"e": estimator}, {"watching": Watching()}))
        assert set(seen) == {(True, through)}


@dataclass(frozen=True)
class Nearness:
    """−‖x − a‖²."""

    summit: tuple[float, float] = (1.0, -2.0)
    name: str = "nearness"
    differentiable: bool = True

    def closed_form(self, prompt, prior):
        a = torch.tensor(self.summit).double()
        return Quadratic(2 * torch.eye(2).double(), 2 * a, -float(a.square().sum()))

    def __call__(self, images, prompt):
        return -(images - torch.tensor(self.summit).to(images)).square().sum(1)


@pytest.mark.parametrize("path", ["vp", "flow"])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
def test_on_one_gaussian_damping_makes_tweedie_s_shift_exact(path, fraction):
    means, variance = torch.tensor([[0.3, 0.4]]).double(), 0.7**2
    prior = GaussianMixture(torch.zeros(1, 1), means, variance * torch.eye(2).double()[None])
    made = replace(problem(path), condition=MixtureCondition(prior), reward=Nearness())
    estimators = {
        "exact": ExactEstimator(scale=4.0),
        "damped": TweedieEstimator(scale=4.0, damping=0.7),
        "plain": TweedieEstimator(scale=4.0),
    }
    step = replace(standing(made, estimators, fraction, graph=True), shared=True)
    exact = step.shift("exact")
    torch.testing.assert_close(step.shift("damped"), exact, atol=1e-10, rtol=1e-10)
    if fraction > 0.1:
        assert (step.shift("plain").norm() > 1.5 * exact.norm()).all()


def test_the_student_is_damped_likewise():
    plain, damped = (StudentEstimator("flow_map", scale=4.0, damping=s) for s in (0.0, 0.7))
    step = standing(problem("flow"), {"plain": plain, "damped": damped}, 0.6)
    s2 = 0.7**2 * 0.6**2 / (0.6**2 + 0.4**2 * 0.7**2)  # the paper's, whose t is 0.4 here
    torch.testing.assert_close(step.value("damped"), step.value("plain") / (1 + 8 * s2))


def test_fmtt_and_smc_by_the_student_approach_the_target(monkeypatch):
    monkeypatch.setattr(flow_map, "INTERVALS", 4)
    student = StudentEstimator("flow_map", scale=1.0, ramp=True)
    made = replace(problem(), images=200)
    truth = reference(PROMPT, "quadratic", 1.0, 200, 2, 4)

    def distance(*steers):
        names = {type(steer).__name__: steer for steer in steers}
        method = Method("m", {"student": student} if steers else {}, names)
        return wasserstein(sample(made, method).images, truth.samples) / truth.floors["w2"]

    often = Smc(every=0.001, start=0.0, stop=0.999, adaptive=True)
    taken_back = replace(often, twisted=True)
    vanilla, fmtt = distance(), distance(Guidance())
    exact = distance(Guidance(scale=0.5, last=False), taken_back)
    assert distance(often) < 2 and exact < 2 < fmtt < 0.6 * vanilla


def test_settings_without_a_student_say_which_backbones_have_one():
    with pytest.raises(ValueError, match="solver must name the solver of a distilled denoiser"):
        StudentEstimator(solver=None)
    with pytest.raises(ValueError, match="solver must name the solver of a distilled denoiser"):
        RolloutEstimator(by="student")
    with pytest.raises(ValueError, match="solver is for by: student alone"):
        RolloutEstimator(solver="flow_map")
