"""TFG against its algorithm written out, and the schedules that share its strengths out."""

from itertools import pairwise

import pytest
import torch
from states import step_at

from methods.path import SCHEDULES, share
from methods.steer import Tfg


@pytest.mark.parametrize(
    "settings",
    [
        {"mu": 0.0, "sigma": 0.0},  # DPS
        {"mu": 0.0, "sigma": 0.3},  # LGD-MC
        {"rho": 0.0, "sigma": 0.0, "inner": 2},  # MPGD
        {"rho": 0.5, "mu": 0.4, "sigma": 0.2, "inner": 2, "rho_schedule": "decrease"},
    ],
    ids=["dps", "lgd", "mpgd", "all"],
)
@pytest.mark.parametrize("path", ["vp", "flow"])
def test_tfg_moves_x_s_as_its_algorithm_does(on_mixture, settings, path):
    """Algorithm 1 written out in its own variance-preserving coordinates x̂ = x/√(α² + σ²), with the
    gradients by autograd, for one step of DDIM."""
    problem = on_mixture(solver="ddim", path=path)
    steer = Tfg(scale=0.7, draws=3, **settings)
    step = step_at(problem, fraction=0.6, index=4, graph=True)
    levels = [*step.solver.levels, step.solver.end]
    assert levels[4].fraction == pytest.approx(step.level.fraction)
    again = step_at(problem, fraction=0.6, index=4, graph=True)  # a graph serves once
    moved = step.solver.step(step.x0 + steer.shift(again, {}), 4, step.x, None)
    plain = step.solver.step(step.x0, 4, step.x, None)

    bars = [v.alpha**2 / (v.alpha**2 + v.sigma**2) for v in levels]
    ratios = [a / b for a, b in pairwise(bars)]
    up, down = ratios[4] * 10 / sum(ratios), (1 - ratios[4]) * 10 / sum(1 - r for r in ratios)
    rho = steer.rho * (down if steer.rho_schedule == "decrease" else up)
    std = steer.sigma * (1 - bars[4]) ** 0.5
    m = 3 if std else 1
    noise = problem.noise.stack((m, 2), "smoothing", [(i, 0, 4) for i in range(3)]).double()

    def log_f(x0):
        rewards = problem.score((x0[:, None] + std * noise).reshape(-1, 2)).reshape(3, m)
        return (0.7 * rewards).exp().mean(1).log().sum()

    norm, below = ((v.alpha**2 + v.sigma**2) ** 0.5 for v in levels[4:6])
    x_hat = (step.x.detach() / norm).requires_grad_()
    mean = problem.backbone.posterior_mean(norm * x_hat, step.level, problem.condition)
    (by_x_hat,) = torch.autograd.grad(log_f(mean), x_hat)
    clean = step.x0.detach()
    for _ in range(steer.inner):
        clean = clean.requires_grad_()
        (by_x0,) = torch.autograd.grad(log_f(clean), clean)
        clean = (clean + steer.mu * up * by_x0).detach()
    alpha_t = ratios[4] ** 0.5
    wanted = rho * by_x_hat / alpha_t + bars[5] ** 0.5 * (clean - step.x0)
    torch.testing.assert_close(moved - plain, below * wanted, atol=1e-9, rtol=1e-7)


def test_schedules_share_a_strength_out_over_the_steps(on_mixture):
    solver = on_mixture().backbone.solver("ddpm", 8)
    levels = [*solver.levels, solver.end]
    for schedule in SCHEDULES:
        shares = [share(schedule, levels, k) for k in range(8)]
        assert sum(shares) == pytest.approx(8)
        order = {"increase": 1, "decrease": -1, "constant": 0}[schedule]
        assert all(order * (b - a) >= -1e-9 for a, b in pairwise(shares))
