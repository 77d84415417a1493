"""The miniature's denoiser for few steps: what it is distilled to say, and that it can be used."""

import pytest
import torch

from bench.backbones import load_backbone
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.errors import BenchError
from bench.rewards.jpeg import JpegCompressibility
from bench.run.measure import Task, measure
from training.students import (
    GRID,
    JUMP,
    VISITED,
    Levels,
    boundary,
    consistent,
    draw_timesteps,
    jump,
    target,
)

SETTINGS = cell_settings([], [])["backbone"]
SPREAD = 0.8  # of the Gaussian prior whose posterior mean is known


@pytest.fixture(scope="module")
def scheduler():
    from diffusers import LCMScheduler

    return LCMScheduler(set_alpha_to_one=False)


@pytest.fixture(scope="module")
def levels(scheduler):
    return Levels.of(scheduler.alphas_cumprod)


@pytest.mark.parametrize("t", [19, 259, 999])
def test_the_distilled_function_is_what_the_scheduler_makes_of_its_denoiser(scheduler, levels, t):
    g = torch.Generator().manual_seed(0)
    x, output = (torch.randn(2, 4, 3, 3, generator=g) for _ in range(2))
    times = torch.full((2,), t)
    alpha, sigma = levels.at(times)
    said = consistent(lambda x, t: (x - sigma * output) / alpha, x, times)
    scheduler.set_timesteps(timesteps=[t])
    theirs = scheduler.step(output, torch.tensor(t), x).denoised
    torch.testing.assert_close(said, theirs, rtol=1e-4, atol=1e-5)


def test_at_the_end_of_a_trajectory_the_distilled_function_is_the_sample_itself():
    c_skip, c_out = boundary(torch.zeros(1, dtype=torch.long))
    assert (float(c_skip), float(c_out)) == (1.0, 0.0)


def gaussian(levels):
    """The posterior mean under N(0, SPREAD²), and where the trajectory through x_t ends."""

    def width(t):
        alpha, sigma = levels.at(t)
        return (alpha**2 * SPREAD**2 + sigma**2).sqrt()

    def mean(x, t):
        return levels.at(t)[0] * SPREAD**2 / width(t) ** 2 * x

    def end(x, t):
        return SPREAD / width(t) * x

    return mean, end


def test_a_student_that_knows_where_trajectories_end_is_its_own_target(levels):
    mean, end = gaussian(levels)
    t = torch.tensor(VISITED)
    x = torch.ones(len(t), 1, 1, 1)
    # One step of DDIM in the midpoint rule's place is 0.03 off at the last of them.
    torch.testing.assert_close(target(mean, end, levels, x, t), end(x, t), rtol=0.006, atol=0)
    off = target(mean, lambda x, t: 1.1 * end(x, t), levels, x, t)
    torch.testing.assert_close(off, 1.1 * end(x, t), rtol=0.006, atol=0)


def test_where_the_teacher_reaches_the_end_the_student_has_no_say(levels):
    mean, end = gaussian(levels)
    t = torch.tensor([t for t in GRID if t <= JUMP])
    x = torch.ones(len(t), 1, 1, 1)
    known = target(mean, end, levels, x, t)
    torch.testing.assert_close(target(mean, mean, levels, x, t), known, rtol=1e-4, atol=0)
    torch.testing.assert_close(known, end(x, t), rtol=0.06, atol=0)


def test_a_jump_of_a_teacher_that_is_certain_lands_on_the_line_to_what_it_says(levels):
    g = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(3, 4, 3, 3, generator=g) for _ in range(2))
    t = torch.tensor([999, 499, JUMP - 1])
    landed, s = jump(lambda x, t: x0, levels, levels.noised(x0, noise, t), t)
    assert s.tolist() == [999 - JUMP, 499 - JUMP, 0]
    torch.testing.assert_close(landed, levels.noised(x0, noise, s), rtol=1e-4, atol=1e-5)


def test_half_of_the_timesteps_are_those_that_few_steps_visit(scheduler):
    drawn = draw_timesteps(32, torch.Generator().manual_seed(0)).tolist()
    assert {*drawn[:16]} == {*VISITED} and {*drawn} <= {*GRID}
    for steps in (1, 2, 4):
        scheduler.set_timesteps(steps)
        assert {*scheduler.timesteps.tolist()} <= {*VISITED}


def test_the_packaged_student_is_loaded_where_a_solver_asks_for_it_alone():
    teacher, mark = load_backbone(SETTINGS, "cpu", ["ddpm"])
    assert not teacher.students and "lcm" not in mark
    backbone, mark = load_backbone(SETTINGS, "cpu", ["ddpm", "lcm"])
    student = backbone.under("lcm")
    assert "+lcm: " in mark and student.guidance == 1.0
    assert not torch.equal(student.denoiser.conv_in.weight, backbone.denoiser.conv_in.weight)


def test_the_packaged_student_is_refused_beside_another_pipeline(tmp_path):
    from bench.backbones.students import load_student

    pipeline = load_backbone(SETTINGS)[0].pipeline
    other = {**SETTINGS, "weights": str(tmp_path)}
    with pytest.raises(BenchError, match="'lcm' in the package belongs to the packaged pipeline"):
        load_student(pipeline, "lcm", SETTINGS["students"]["lcm"], False, other)


def test_lidar_draws_its_lookahead_samples_from_the_student():
    words = ["method=lidar", "lookahead.solver=lcm", "lookahead.steps=2", "lookahead.n=3"]
    cell = make_cell(cell_settings([*words, "steps=2", "images=1"], []))
    backbone, _ = load_backbone(cell.backbone, "cpu", cell.solvers)
    task = Task(backbone, JpegCompressibility(), cell.solver, cell.steps, cell.images, 0)
    calls = measure(task, cell.method, "a photo of a red car").calls
    assert calls["prepare"]["denoiser"] == 3 * 2, "without classifier-free guidance"
    assert calls["denoise"]["denoiser"] == 2 * 2
