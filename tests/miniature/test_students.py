"""The miniatures' denoisers for few steps: what they are distilled to say, and their use."""

import pytest
import torch

from bench.backbones import load_backbone
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.errors import BenchError
from bench.rewards.jpeg import JpegCompressibility
from bench.run.measure import Task, measure
from training import flow_student, students
from training.flow import flow_pair
from training.students import boundary

SETTINGS = cell_settings([], [])["backbone"]
FLOW = cell_settings(["backbone=miniature_flow"], [])["backbone"]
SPREAD = 0.8  # of the Gaussian prior whose posterior mean is known


@pytest.fixture(scope="module")
def scheduler():
    from diffusers import LCMScheduler

    return LCMScheduler(set_alpha_to_one=False)


@pytest.fixture(scope="module")
def own(scheduler):
    return students.family(scheduler.alphas_cumprod)


@pytest.fixture(params=["miniature", "miniature_flow"])
def family(request, own):
    return own if request.param == "miniature" else flow_student.family()


@pytest.mark.parametrize("t", [19, 259, 999])
def test_the_distilled_function_is_what_the_scheduler_makes_of_its_denoiser(scheduler, own, t):
    g = torch.Generator().manual_seed(0)
    x, output = (torch.randn(2, 4, 3, 3, generator=g) for _ in range(2))
    times = torch.full((2,), t)
    said = own.consistent(lambda x, t: own.mean(own.levels, x, output, t), x, times)
    scheduler.set_timesteps(timesteps=[t])
    theirs = scheduler.step(output, torch.tensor(t), x).denoised
    torch.testing.assert_close(said, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("steps", "index"), [(1, 0), (4, 0), (4, 3)])
def test_the_flow_s_is_what_its_scheduler_jumps_to_before_it_noises_anew(steps, index):
    own, solver = flow_student.family(), backbone_of(FLOW, ["lcm"]).solver("lcm", steps)
    g = torch.Generator().manual_seed(0)
    x, output, noise = (torch.randn(2, 4, 3, 3, generator=g) for _ in range(3))
    t = torch.full((2,), round(solver.levels[index].t))
    said = own.consistent(lambda x, t: own.mean(own.levels, x, output, t), x, t)
    after = solver.levels[index + 1] if index + 1 < steps else solver.end
    landed = solver.step(said, index, x, noise)
    torch.testing.assert_close(landed, after.alpha * said + after.sigma * noise)


def backbone_of(settings, solvers):
    return load_backbone(settings, "cpu", solvers)[0]


def test_the_flow_s_levels_are_those_it_was_trained_on_and_its_jump_is_euler_s_step():
    own, g = flow_student.family(), torch.Generator().manual_seed(0)
    x0, noise, x = (torch.randn(3, 4, 2, 2, generator=g) for _ in range(3))
    t, s = torch.tensor([1000, 500, 20]), torch.tensor([750, 0, 10])
    on_the_path, velocity = flow_pair(x0, noise, t / 1000)
    torch.testing.assert_close(own.levels.noised(x0, noise, t), on_the_path)
    torch.testing.assert_close(own.mean(own.levels, on_the_path, velocity, t), x0)
    step = own.levels.ddim(x, own.mean(own.levels, x, velocity, t), t, s)
    torch.testing.assert_close(step, x + ((s - t) / 1000)[:, None, None, None] * velocity)


def test_at_the_end_of_a_trajectory_the_distilled_function_is_the_sample_itself():
    c_skip, c_out = boundary(torch.zeros(1, dtype=torch.long))
    assert (float(c_skip), float(c_out)) == (1.0, 0.0)
    own, x = flow_student.family(), torch.ones(1, 4, 2, 2)
    end = torch.zeros(1, dtype=torch.long)
    said = own.consistent(lambda x, t: own.mean(own.levels, x, 9 * x, t), x, end)
    torch.testing.assert_close(said, x)


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


# How far the midpoint rule ends from the exact trajectory, in share of it, by the length of a jump.
# At the last of the timesteps one step of DDIM or Euler in its place is off by 0.03 and 0.08.
MISSED = {120: 0.006, 250: 0.04}


def test_a_student_that_knows_where_trajectories_end_is_its_own_target(family):
    mean, end = gaussian(family.levels)
    t = torch.tensor(family.visited)
    x, off = torch.ones(len(t), 1, 1, 1), MISSED[family.jump]
    torch.testing.assert_close(family.target(mean, end, x, t), end(x, t), rtol=off, atol=0)
    louder = family.target(mean, lambda x, t: 1.1 * end(x, t), x, t)
    torch.testing.assert_close(louder, 1.1 * end(x, t), rtol=off, atol=0)


def test_where_the_teacher_reaches_the_end_the_student_has_no_say(family):
    mean, end = gaussian(family.levels)
    t = torch.tensor([t for t in family.grid if t <= family.jump])
    x = torch.ones(len(t), 1, 1, 1)
    known = family.target(mean, end, x, t)
    wrong = family.target(mean, lambda x, t: family.mean(family.levels, x, 9 * x, t), x, t)
    torch.testing.assert_close(wrong, known, rtol=1e-4, atol=0)
    torch.testing.assert_close(known, end(x, t), rtol=0.06, atol=0)


def test_a_jump_of_a_teacher_that_is_certain_lands_on_the_line_to_what_it_says(family):
    g = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(3, 4, 3, 3, generator=g) for _ in range(2))
    t = torch.tensor([family.grid[-1], 499, family.jump - 1])
    landed, s = family.jumped(lambda x, t: x0, family.levels.noised(x0, noise, t), t)
    assert s.tolist() == [max(0, int(k) - family.jump) for k in t]
    torch.testing.assert_close(landed, family.levels.noised(x0, noise, s), rtol=1e-4, atol=1e-5)


def test_half_of_the_timesteps_are_those_that_few_steps_visit(family, scheduler):
    drawn = family.draw(32, torch.Generator().manual_seed(0)).tolist()
    assert {*drawn[:16]} == {*family.visited} and {*drawn} <= {*family.grid}
    for steps in (1, 2, 4):
        if family.solver["scheduler"] == "LCMScheduler":
            scheduler.set_timesteps(steps)
            visited = scheduler.timesteps.tolist()
        else:
            levels = backbone_of(FLOW, ["lcm"]).solver("lcm", steps).levels
            visited = [round(level.t) for level in levels]
        assert {*visited} <= {*family.visited}


@pytest.mark.parametrize(("settings", "usual"), [(SETTINGS, "ddpm"), (FLOW, "euler")])
def test_the_packaged_student_is_loaded_where_a_solver_asks_for_it_alone(settings, usual):
    teacher, mark = load_backbone(settings, "cpu", [usual])
    assert not teacher.students and "lcm" not in mark
    backbone, mark = load_backbone(settings, "cpu", [usual, "lcm"])
    student = backbone.under("lcm")
    assert "+lcm: " in mark and student.guidance == 1.0
    assert not torch.equal(student.denoiser.conv_in.weight, backbone.denoiser.conv_in.weight)


def test_the_packaged_student_is_refused_beside_another_pipeline(tmp_path):
    from bench.backbones.students import load_student

    pipeline = load_backbone(SETTINGS)[0].pipeline
    other = {**SETTINGS, "weights": str(tmp_path)}
    with pytest.raises(BenchError, match="'lcm' in the package belongs to the packaged pipeline"):
        load_student(pipeline, "lcm", SETTINGS["students"]["lcm"], False, other)


@torch.no_grad()
def test_the_flow_s_student_says_from_any_noise_where_the_guided_trajectory_ends():
    """Nearer to it than its teacher's posterior mean under the same guidance is, from noise alone
    and a fourth of the way on; further down that is as near, as the measurements say."""
    backbone, prompt = backbone_of(FLOW, ["lcm"]), "a photo of a red car"
    student, condition = backbone.under("lcm"), backbone.encode(prompt)
    own = student.encode(prompt, None, condition)
    x = torch.randn(6, *backbone.latent_shape, generator=torch.Generator().manual_seed(0))
    solver = backbone.solver("euler", 16)
    path = []
    for index, level in enumerate(solver.levels):
        path.append(x)
        x = solver.step(backbone.posterior_mean(x, level, condition), index, x, None)
    for index in (0, 4):
        level = solver.levels[index]
        said = student.posterior_mean(path[index], level, own)
        mean = backbone.posterior_mean(path[index], level, condition)
        assert (said - x).square().mean() < 0.8 * (mean - x).square().mean()


def test_lidar_draws_its_lookahead_samples_from_the_student():
    words = ["method=lidar", "lookahead.solver=lcm", "lookahead.steps=2", "lookahead.n=3"]
    cell = make_cell(cell_settings([*words, "steps=2", "images=1"], []))
    backbone, _ = load_backbone(cell.backbone, "cpu", cell.solvers)
    task = Task(backbone, JpegCompressibility(), cell.solver, cell.steps, cell.images, 0)
    calls = measure(task, cell.method, "a photo of a red car").calls
    assert calls["prepare"]["denoiser"] == 3 * 2, "without classifier-free guidance"
    assert calls["denoise"]["denoiser"] == 2 * 2
