"""The mixture's exact student: its jump is where the probability-flow ODE ends."""

import pytest
import torch
from torch.func import jacrev

from bench.mixture import flow_map as module
from bench.mixture.backbone import MixtureBackbone, check
from bench.noise import Ledger

PROMPT = "separated mixture 0 of seed 0"


def particles(backbone, fraction, count=20, prompt=PROMPT):
    level, condition = backbone.level(fraction), backbone.encode(prompt)
    clean, noise = (Ledger(0, prompt)((count, 2), name).double() for name in ("a", "b"))
    return level.alpha * 2 * clean + level.sigma * noise, level, condition


@pytest.mark.parametrize("path", ["vp", "flow"])
def test_the_student_jumps_to_where_many_small_steps_of_the_ode_end(path):
    backbone = MixtureBackbone(2, 4, path)
    x, level, condition = particles(backbone, 1.0)
    jump = backbone.under("flow_map").posterior_mean(x, level, condition)
    ends = []
    for steps in (1000, 2000):
        solver, walked = backbone.solver("dpm", steps), x
        for k, here in enumerate(solver.levels):
            mean = backbone.posterior_mean(walked, here, condition)
            walked = solver.step(mean, k, walked, None)
        ends.append(walked)
    errors = [float((end - jump).norm()) for end in ends]
    assert errors[1] < 1e-3 and errors[1] < errors[0] / 2


@pytest.mark.parametrize("fraction", [1.0, 0.7, 0.2])
def test_twice_the_intervals_move_the_jump_by_less_than_1e_10(fraction, monkeypatch):
    backbone = MixtureBackbone(2, 4, "vp")
    x, level, condition = particles(backbone, fraction)
    one = module.flow_map(condition.prior, x, level)
    monkeypatch.setattr(module, "INTERVALS", 2 * module.INTERVALS)
    assert float((module.flow_map(condition.prior, x, level) - one).abs().max()) < 1e-10


def test_of_one_gaussian_the_jump_is_its_linear_map():
    """x_0 − m = C^½ (α² C + σ²)^−½ (x_t − α m)."""
    backbone = MixtureBackbone(2, 1, "flow")
    x, level, condition = particles(backbone, 0.6)
    prior = condition.prior
    values, turns = torch.linalg.eigh(prior.covariances[0])
    gain = (values / (level.alpha**2 * values + level.sigma**2)).sqrt()
    wanted = prior.means[0] + (x - level.alpha * prior.means[0]) @ turns * gain @ turns.T
    found = backbone.under("flow_map").posterior_mean(x, level, condition)
    torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)


def test_its_derivative_transports_the_density():
    """p_0(jump(x)) |det ∂jump/∂x| = p_t(x), as for every flow."""
    backbone = MixtureBackbone(2, 4, "vp")
    x, level, condition = particles(backbone, 0.5, count=3)
    prior = backbone.encode(PROMPT).prior

    def jump(point):
        return module.flow_map(condition.prior, point[None], level)[0]

    for point in x:
        left = prior.log_prob(jump(point)[None]) + jacrev(jump)(point).det().abs().log()
        right = prior.noised(level.alpha, level.sigma).log_prob(point[None])
        torch.testing.assert_close(left, right, atol=1e-8, rtol=1e-8)


def test_only_under_its_own_solver_the_mixture_is_a_student():
    backbone = MixtureBackbone(2, 4, "vp")
    x, level, condition = particles(backbone, 0.5)
    student = backbone.under("flow_map")
    assert backbone.under("ddim") is backbone and student.under("flow_map") is student
    mean = backbone.posterior_mean(x, level, condition)
    assert not torch.allclose(student.posterior_mean(x, level, condition), mean)
    assert torch.equal(student.under("ddim").posterior_mean(x, level, condition), mean)
    solver = student.solver("flow_map", 5)
    assert not solver.stochastic and solver.transition(1)[1] == 0


def test_a_student_that_is_neither_true_nor_false_is_refused():
    settings = {"dimension": 2, "components": 4, "path": "vp", "solvers": {"x": {"student": "yes"}}}
    with pytest.raises(ValueError, match=r"backbone\.solvers\.x\.student must be true or false"):
        check(settings)
