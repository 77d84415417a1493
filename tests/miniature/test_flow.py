"""The flow-matching miniature: diffusers' own pipeline, its path, and methods that need noise."""

from itertools import pairwise

import pytest
import torch

from bench.backbones import load_backbone
from bench.backbones.solver import make_scheduler
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.miniature.pipeline import FLOW, PIPELINE
from bench.noise import Ledger
from bench.rewards import load_reward
from bench.run.measure import Task, measure
from methods.method import Method
from methods.problem import Problem
from methods.sample import sample

SETTINGS = cell_settings(["backbone=miniature_flow"], [])["backbone"]
PROMPT = "a photo of a red car"


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(SETTINGS)[0]


def problem(backbone, solver, steps, images=2):
    condition = backbone.encode(PROMPT)
    ledger = Ledger(0, PROMPT)
    return Problem(backbone, None, ledger, PROMPT, condition, images, solver, steps)


@pytest.mark.parametrize(("solver", "steps"), [("euler", 28), ("dpm", 5)])
def test_vanilla_equals_diffusers_own_pipeline(backbone, solver, steps):
    from diffusers import StableDiffusionPipeline

    given = problem(backbone, solver, steps)
    pipe = StableDiffusionPipeline.from_pretrained(FLOW, local_files_only=True)
    pipe = pipe.to(dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(pipe.scheduler, SETTINGS["solvers"][solver])
    theirs = pipe(
        PROMPT,
        num_inference_steps=steps,
        guidance_scale=backbone.guidance,
        num_images_per_prompt=2,
        latents=given.initial(2),
        output_type="pt",
    ).images
    ours = sample(given, Method("vanilla")).images
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_the_first_order_solver_is_euler_s_method_on_the_flow_path(backbone):
    given = problem(backbone, "euler", 4)
    solver = backbone.solver("euler", 4)
    levels = [*solver.levels, solver.end]
    assert all(abs(level.alpha + level.sigma - 1) < 1e-6 for level in levels)
    x = given.initial(2)
    for here, there in pairwise(levels):
        x0 = backbone.posterior_mean(x, here, given.condition)
        velocity = (x - x0) / here.sigma  # ε − x_0 of x = (1 − σ) x_0 + σ ε
        x = x + (there.sigma - here.sigma) * velocity
    ours = sample(given, Method("vanilla")).latents
    torch.testing.assert_close(ours, x, atol=1e-4, rtol=1e-4)


def test_the_posterior_mean_is_x_less_sigma_times_the_velocity(backbone):
    given = problem(backbone, "euler", 4)
    level, x = backbone.level(0.6), given.initial(2)
    text, empty = given.condition.text, given.condition.empty
    t = torch.full((2,), 600.0)
    words = [part.sequence.expand(2, -1, -1) for part in (text, empty)]
    prompted, bare = (backbone.denoiser(x, t, own).sample for own in words)
    velocity = bare + backbone.guidance * (prompted - bare)
    found = backbone.posterior_mean(x, level, given.condition)
    torch.testing.assert_close(found, x - 0.6 * velocity, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("method", ["lidar", "fk_smc", "svdd", "das", "date", "restart"])
def test_methods_run_with_the_solver_that_they_need(backbone, method):
    settings = cell_settings(["backbone=miniature_flow", f"method={method}", "steps=4"], [])
    cell = make_cell(settings)
    reward = load_reward(cell.reward, settings["rewards"])
    task = Task(backbone, reward, cell.solver, 4, 2, 0)
    made = measure(task, cell.method, PROMPT)
    assert made.delivered.shape == (2, 64, 64, 3) and made.calls["denoise"]["denoiser"] > 0


def test_its_text_encoder_and_autoencoder_are_the_miniature_s():
    for part in ("text_encoder/model.safetensors", "vae/diffusion_pytorch_model.safetensors"):
        assert (FLOW / part).read_bytes() == (PIPELINE / part).read_bytes()
