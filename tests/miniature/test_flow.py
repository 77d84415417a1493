"""The flow-matching miniature: its path, its solvers, and what runs on it."""

import pytest
import torch

from bench.backbones import load_backbone
from bench.config.build import build_method
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.errors import BenchError
from bench.miniature.pipeline import FLOW, PIPELINE
from bench.noise import Ledger
from bench.rewards.jpeg import JpegCompressibility
from bench.run.measure import Task, measure
from methods.interfaces import Level
from methods.method import Method
from methods.path import ancestral_step
from methods.problem import Problem
from methods.sample import sample
from tests.small import METHODS, shrunk
from training.flow import flow_pair

BASE = ("backbone=miniature_flow", "steps=3", "images=2")
SETTINGS = cell_settings([*BASE], [])["backbone"]
PROMPT = "a photo of a red car"


@pytest.fixture(scope="module")
def flow():
    return load_backbone(SETTINGS)[0]


@pytest.mark.parametrize("solver", ["euler", "dpm"])
def test_vanilla_equals_diffusers_own_pipeline_on_the_packaged_weights(flow, solver):
    from diffusers import StableDiffusionPipeline

    from bench.backbones.solver import make_scheduler

    steps = 5
    problem = Problem(flow, None, Ledger(0, PROMPT), PROMPT, flow.encode(PROMPT), 2, solver, steps)
    pipe = StableDiffusionPipeline.from_pretrained(FLOW, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(pipe.scheduler, SETTINGS["solvers"][solver])
    theirs = pipe(
        PROMPT,
        num_inference_steps=steps,
        guidance_scale=flow.guidance,
        num_images_per_prompt=2,
        latents=problem.initial(2),
        output_type="pt",
    ).images
    ours = sample(problem, Method("vanilla")).images
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_it_shares_autoencoder_and_text_encoder_with_the_miniature_it_was_trained_on_from():
    for part in ("vae/diffusion_pytorch_model", "text_encoder/model"):
        file = f"{part}.safetensors"
        assert (FLOW / file).read_bytes() == (PIPELINE / file).read_bytes()
    unet = "unet/diffusion_pytorch_model.safetensors"
    assert (FLOW / unet).read_bytes() != (PIPELINE / unet).read_bytes()
    assert sum(f.stat().st_size for f in FLOW.rglob("*") if f.is_file()) < 25e6


@pytest.mark.parametrize("fraction", [1.0, 0.6, 0.25])
def test_a_level_is_on_the_straight_path_and_its_posterior_mean_is_x_less_sigma_v(flow, fraction):
    level, condition = flow.level(fraction), flow.encode(PROMPT, guidance=1.0)
    assert (level.alpha, level.sigma, level.t) == pytest.approx(
        (1 - fraction, fraction, 1000 * fraction)
    )
    x = torch.randn(2, *flow.latent_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        words = condition.embedding.expand(2, -1, -1)
        velocity = flow.denoiser(x, torch.full((2,), level.t), words).sample
        mean = flow.posterior_mean(x, level, condition)
    torch.testing.assert_close(mean, x - level.sigma * velocity)


def test_its_denoiser_was_trained_on_that_velocity(flow):
    """Near the image and far from it, its error is a fraction of predicting nothing."""
    x0 = flow_images(flow)
    g = torch.Generator().manual_seed(1)
    noise = torch.randn(x0.shape, generator=g)
    for t in (0.2, 0.8):
        x, velocity = flow_pair(x0, noise, torch.full((len(x0),), t))
        with torch.no_grad():
            mean = flow.posterior_mean(x, flow.level(t), flow.encode(PROMPT, guidance=1.0))
        error = ((x - mean) / t - velocity).square().mean()
        assert error < 0.4 * velocity.square().mean()


def flow_images(flow):
    """Latents of the prompt, of its own making."""
    problem = Problem(flow, None, Ledger(0, PROMPT), PROMPT, flow.encode(PROMPT), 2, "dpm", 6)
    return sample(problem, Method("vanilla")).latents


def test_training_pairs_are_points_of_the_path_and_its_derivative():
    g = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(3, 4, 2, 2, generator=g, dtype=torch.float64) for _ in range(2))
    t, step = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64), 1e-3
    before, velocity = flow_pair(x0, noise, t)
    after, _ = flow_pair(x0, noise, t + step)
    torch.testing.assert_close((after - before) / step, velocity)
    ends = [flow_pair(x0, noise, torch.full((3,), end, dtype=torch.float64))[0] for end in (0, 1)]
    torch.testing.assert_close(ends, [x0, noise])


def test_its_euler_solver_takes_euler_steps_along_the_velocity(flow):
    solver = flow.solver("euler", 28)
    assert not solver.stochastic
    g = torch.Generator().manual_seed(0)
    for index in range(27):
        x, x0 = (torch.randn(2, 4, 3, 3, generator=g) for _ in range(2))
        now, then = solver.levels[index].sigma, solver.levels[index + 1].sigma
        assert solver.levels[index].alpha == pytest.approx(1 - now)
        expected = x + (then - now) * (x - x0) / now
        torch.testing.assert_close(solver.step(x0, index, x, None), expected, atol=1e-5, rtol=1e-4)


def test_ancestral_steps_keep_the_law_of_the_path(flow):
    """From x_t = α x_0 + σ ε at the first level to that law at every later one."""
    solver, g = flow.solver("ancestral", 6), torch.Generator().manual_seed(0)
    assert solver.stochastic
    x0 = 2 + 0.5 * torch.randn(200_000, generator=g)
    first = solver.levels[0]
    x = first.alpha * x0 + first.sigma * torch.randn(x0.shape, generator=g)
    for index, level in enumerate(solver.levels[1:]):
        x = solver.step(x0, index, x, torch.randn(x0.shape, generator=g))
        rest = x - level.alpha * x0
        assert float(rest.mean()) == pytest.approx(0, abs=0.01)
        assert float(rest.std()) == pytest.approx(level.sigma, rel=0.01)
        assert float(torch.corrcoef(torch.stack([rest, x0]))[0, 1]) == pytest.approx(0, abs=0.01)


def test_an_ancestral_step_is_that_of_the_variance_preserving_interpolant():
    """The same signal-to-noise ratios on either path, x_t scaled from one to the other."""

    def preserving(level):
        norm = (level.alpha**2 + level.sigma**2) ** 0.5
        return Level(level.t, level.alpha / norm, level.sigma / norm, level.fraction), norm

    g = torch.Generator().manual_seed(0)
    x, x0, z = (torch.randn(2, 3, generator=g, dtype=torch.float64) for _ in range(3))
    start, end = Level(700.0, 0.3, 0.7, 0.7), Level(600.0, 0.4, 0.6, 0.6)
    (vp_start, down), (vp_end, up) = preserving(start), preserving(end)
    ours = ancestral_step(x, x0, start, end, z)
    torch.testing.assert_close(ours, up * ancestral_step(x / down, x0, vp_start, vp_end, z))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_a_target_solver_that_suits_it(method):
    cell = make_cell(cell_settings([*BASE, f"method={method}"], []))
    needs = {word for steer in cell.method.steers for word in cell.method.needs(steer)}
    noisy = bool(needs & {"stochastic", "ancestral"})
    assert cell.solver in (("ancestral", "vp_sde") if noisy else ("euler",))


@pytest.mark.parametrize("method", ["vanilla", "lidar", "fk_smc", "svdd"])
def test_methods_run_on_it(flow, method):
    given = cell_settings([*BASE, f"method={method}"], [])
    small = build_method(shrunk(given["method"]))
    task = Task(flow, JpegCompressibility(), given["solver"], 3, 2, 0)
    made = measure(task, small, PROMPT)
    assert made.delivered.shape[0] == 2
    assert made.calls["denoise"]["denoiser"] >= 2 * 2 * 3


def test_population_methods_are_refused_its_deterministic_solver():
    with pytest.raises(BenchError, match=r"fk_smc.*needs a stochastic target solver .*on flow mod"):
        make_cell(cell_settings([*BASE, "method=fk_smc", "solver=euler"], []))


def test_the_paper_s_settings_on_flux_are_its_own():
    given = cell_settings(["backbone=miniature_flow", "method=lidar"], [])
    flux = cell_settings(["backbone=flux_dev", "method=lidar"], [])
    assert (given["solver"], given["steps"]) == (flux["solver"], flux["steps"]) == ("euler", 28)
    assert given["method"]["steer"] == flux["method"]["steer"]
