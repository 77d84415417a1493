"""Schedulers as solvers: levels, noise, history, and what is refused."""

import pytest
import torch
from pipelines import problem, tiny

from bench.backbones.levels import PARAMETERIZATIONS, mean_of, output_of
from bench.backbones.solver import SchedulerSolver, make_scheduler
from methods.interfaces import Level
from methods.path import ancestral_step

NAMES = {
    "DDIMScheduler": {"clip_sample": False, "set_alpha_to_one": True},
    "DDPMScheduler": {"clip_sample": False, "stochastic": True},
    "DPMSolverMultistepScheduler": {},
    "DPMSolverSinglestepScheduler": {},
    "EulerDiscreteScheduler": {},
    "EulerAncestralDiscreteScheduler": {"stochastic": True},
    "LMSDiscreteScheduler": {},
    "UniPCMultistepScheduler": {},
    "DEISMultistepScheduler": {},
    "TCDScheduler": {"stochastic": True, "eta": 0.3},
    "LCMScheduler": {"stochastic": True},
}


@pytest.fixture(scope="module")
def sd15():
    return tiny("sd15")


@pytest.mark.parametrize("kind", PARAMETERIZATIONS)
@pytest.mark.parametrize("level", [(0.8, 0.6), (1.0, 7.0), (0.3, 0.7)], ids=["vp", "ve", "flow"])
def test_a_model_output_and_its_posterior_mean_say_the_same(kind, level):
    level = Level(500.0, *level, 0.5)
    g = torch.Generator().manual_seed(0)
    x, x0 = (torch.randn(2, 3, generator=g, dtype=torch.float64) for _ in range(2))
    again = mean_of(output_of(x0, x, level, kind), x, level, kind)
    torch.testing.assert_close(again, x0)


@pytest.mark.parametrize("name", NAMES)
def test_where_the_posterior_mean_is_certain_the_trajectory_ends_at_it(sd15, name):
    """Levels and conversions that were off would leave a rest of the noise."""
    solver = SchedulerSolver(
        make_scheduler(sd15.scheduler, {"scheduler": name, **NAMES[name]}), 8, NAMES[name]
    )
    g = torch.Generator().manual_seed(0)
    point = torch.randn(2, 4, 8, 8, generator=g)
    x = solver.initial(torch.randn(2, 4, 8, 8, generator=g))
    fractions = [level.fraction for level in solver.levels]
    assert fractions == sorted(fractions, reverse=True) and fractions[0] <= 1
    for index, level in enumerate(solver.levels):
        if index > 0:  # x_t holds σ ε of its level
            rest = (x - level.alpha * point).std() / level.sigma
            assert 0.5 < rest < 1.5
        noise = torch.randn(2, 4, 8, 8, generator=g) if solver.stochastic else None
        x = solver.step(point, index, x, noise)
    # DEIS, TCD and DDPM end at the lowest noise level of the training, σ/α = 0.03.
    ends_noisy = name in ("DEISMultistepScheduler", "TCDScheduler", "DDPMScheduler")
    rest = 0.15 if ends_noisy else 1e-3
    assert (x - point).abs().max() < rest


def test_a_scheduler_that_draws_its_own_noise_is_told_to_say_so(sd15):
    own = {"scheduler": "EulerAncestralDiscreteScheduler"}
    solver = SchedulerSolver(make_scheduler(sd15.scheduler, own), 4, own)
    x = torch.zeros(1, 4, 8, 8)
    with pytest.raises(ValueError, match="draws noise: set `stochastic: true`"):
        solver.step(x, 0, x, None)


def test_second_order_schedulers_that_call_twice_a_step_are_refused(sd15):
    own = {"scheduler": "HeunDiscreteScheduler"}
    with pytest.raises(ValueError, match="made 7 steps where 4 were asked for"):
        SchedulerSolver(make_scheduler(sd15.scheduler, own), 4, own)


def test_a_distilled_solver_has_its_own_number_of_steps():
    with pytest.raises(ValueError, match=r"has the 1 timesteps \[399\]: .* must be 1, got 3"):
        tiny("sdxl").solver("dmd2", 3)


def test_an_unknown_scheduler_is_met_with_the_nearest(sd15):
    with pytest.raises(ValueError, match="did you mean 'EulerDiscreteScheduler'"):
        make_scheduler(sd15.scheduler, {"scheduler": "EulerDiscretScheduler"})


@pytest.mark.parametrize("name", ["dpm", "lms", "unipc"])
def test_history_follows_a_resampling(name):
    schedulers = {"lms": "LMSDiscreteScheduler", "unipc": "UniPCMultistepScheduler"}
    others = {key: {"scheduler": value} for key, value in schedulers.items()}
    backbone = tiny("sd15", others)
    g = torch.Generator().manual_seed(0)
    points = torch.randn(3, 4, 8, 8, generator=g)
    order = torch.tensor([2, 2, 0])
    one, other = (backbone.solver(name, 6) for _ in range(2))
    x = y = one.initial(torch.randn(3, 4, 8, 8, generator=g))
    for index in range(3):
        x, y = one.step(points, index, x, None), other.step(points, index, y, None)
    one.select(order)
    x = one.step(points[order], 3, x[order], None)
    y = other.step(points, 3, y, None)[order]
    torch.testing.assert_close(x, y)


def test_flow_matching_s_ancestral_step_is_the_exact_posterior_s():
    given = problem(tiny("flux_dev"), "ancestral", 4)
    solver = given.backbone.solver("ancestral", 4)
    assert solver.stochastic
    g = torch.Generator().manual_seed(0)
    x, x0, z = (torch.randn(2, 4, 8, 8, generator=g) for _ in range(3))
    start, end = solver.levels[1:3]
    expected = ancestral_step(x, x0, start, end, z, 1.0)
    torch.testing.assert_close(solver.step(x0, 1, x, z), expected)
    slope, std = solver.transition(1)
    moved = solver.step(x0 + 0.1, 1, x, z) - expected
    torch.testing.assert_close(moved, torch.full_like(x, 0.1 * slope))
    louder = solver.step(x0, 1, x, z + 1) - expected
    torch.testing.assert_close(louder, torch.full_like(x, std))


def test_guidance_by_the_loop_leaves_the_path_of_a_distilled_denoiser_to_it():
    sdxl = tiny("sdxl")
    student = sdxl.under("dmd2")
    assert student is not sdxl and student.guidance == 1.0 and student.student == "dmd2"
    again = student.under("ddpm")
    assert (again.student, again.guidance) == (None, sdxl.guidance)
    assert student.under("dmd2") is student
    assert student.encode("a cat").evaluations == 1 and sdxl.encode("a cat").evaluations == 2
