"""The packaged miniature: what it weighs, that it loads, that it is what it says."""

import shutil
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from bench.backbones import load_backbone
from bench.backbones.folder import check_pipeline_folder
from bench.backbones.loading import load_pipeline
from bench.backbones.settings import is_stochastic
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.errors import BenchError
from bench.miniature.pipeline import PIPELINE, REMEDY, STUDENT, WEIGHTS
from bench.miniature.text import MAX_TOKENS, build_tokenizer, caption_words
from bench.noise import Ledger
from bench.run.measure import Task, measure
from methods.method import Method
from methods.problem import Problem
from methods.sample import sample

SETTINGS = cell_settings([], [])["backbone"]


def test_weights_are_small_and_half_precision():
    files = [f for f in WEIGHTS.rglob("*") if f.is_file()]
    assert sum(f.stat().st_size for f in files) < 70e6
    assert max(f.stat().st_size for f in files) < 15e6
    from safetensors.torch import load_file

    unet = load_file(PIPELINE / "unet/diffusion_pytorch_model.safetensors")
    assert {t.dtype for t in unet.values()} == {torch.float16}


@pytest.mark.parametrize(("solver", "steps"), [("ddim", 5), ("ddpm", 5), ("dpm", 5), ("lcm", 4)])
def test_vanilla_equals_diffusers_own_pipeline_on_the_packaged_weights(solver, steps):
    from diffusers import StableDiffusionPipeline
    from safetensors.torch import load_file

    from bench.backbones.solver import given_noise, make_scheduler

    backbone = load_backbone(SETTINGS, solvers=[solver])[0].under(solver)
    prompt, own = "a photo of a red car", SETTINGS["solvers"][solver]
    ledger = Ledger(0, prompt)
    problem = Problem(backbone, None, ledger, prompt, backbone.encode(prompt), 2, solver, steps)
    ours = sample(problem, Method("vanilla")).images
    pipe = StableDiffusionPipeline.from_pretrained(PIPELINE, local_files_only=True)
    pipe = pipe.to(dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(pipe.scheduler, own)
    if solver == "lcm":
        pipe.unet.load_state_dict(load_file(STUDENT))
    if is_stochastic(own):
        original, count = pipe.scheduler.step, iter(range(steps))
        extra = {"eta": own["eta"]} if "eta" in own else {}

        def step(output, t, x, **kwargs):
            k = next(count)
            noise = torch.stack([ledger(x.shape[1:], "solver", i, 0, k) for i in range(len(x))])
            with given_noise(pipe.scheduler, noise):
                return original(output, t, x, return_dict=False, **extra)

        pipe.scheduler.step = step
    theirs = pipe(
        prompt,
        num_inference_steps=steps,
        guidance_scale=backbone.guidance,
        num_images_per_prompt=2,
        latents=problem.initial(2),
        output_type="pt",
    ).images
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_around_the_networks_vanilla_takes_at_most_twice_the_time_of_diffusers_own_pipeline(
    monkeypatch,
):
    from diffusers import StableDiffusionPipeline

    from bench.backbones.solver import make_scheduler

    backbone, _ = load_backbone(SETTINGS)
    prompt, steps, images = "a photo of a red car", 25, 4
    initial = Ledger(0, prompt).stack(backbone.latent_shape, "initial", [(i, 0) for i in range(4)])
    predicted, decoded = torch.cat([initial, initial]), torch.zeros(images, 3, 128, 128)
    unet, vae = backbone.pipeline.unet, backbone.pipeline.vae

    def answer(tensor):
        return lambda *at, return_dict=True, **options: (
            SimpleNamespace(sample=tensor) if return_dict else (tensor,)
        )

    monkeypatch.setattr(unet, "forward", answer(predicted))
    monkeypatch.setattr(vae, "decode", answer(decoded))
    parts = backbone.pipeline.components
    pipe = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(backbone.scheduler, SETTINGS["solvers"]["ddpm"])
    reward = SimpleNamespace(name="none", differentiable=False)
    task = Task(backbone, reward, "ddpm", steps, images, 0)

    def theirs():
        pipe(
            prompt,
            num_inference_steps=steps,
            num_images_per_prompt=images,
            guidance_scale=backbone.guidance,
            eta=1.0,
            latents=initial,
            output_type="pt",
        )

    def seconds(run):
        began = time.process_time()
        run()
        return time.process_time() - began

    runs = (lambda: measure(task, Method("vanilla"), prompt), theirs)
    pairs = [[seconds(run) for run in runs] for _ in range(8)]
    ours, own = (min(times) for times in zip(*pairs, strict=True))
    assert ours < 2 * own  # 1.4 as measured; the networks take a hundred times as long


def test_an_image_is_the_same_to_rounding_under_another_batch_size():
    backbone, _ = load_backbone(SETTINGS)
    prompt = "a photo of a red car"
    problem = Problem(
        backbone, None, Ledger(0, prompt), prompt, backbone.encode(prompt), 4, "ddpm", 10
    )
    four = sample(problem, Method("vanilla"))
    one = sample(replace(problem, images=1), Method("vanilla"))
    torch.testing.assert_close(four.images[:1], one.images, atol=1e-4, rtol=0)


def test_the_autoencoder_keeps_thirty_decibels_on_new_scenes():
    from training.vae import pixels, psnr

    backbone, _ = load_backbone(SETTINGS)
    assert psnr(backbone.vae, pixels(0, 64, seed=987)) > 30


def test_every_caption_word_is_one_token_and_any_word_has_a_spelling():
    tokenizer = build_tokenizer()
    for word in caption_words():
        assert len(tokenizer.tokenize(word)) == 1, word
    ids = tokenizer("hovercraft zebra").input_ids
    assert len(ids) <= MAX_TOKENS and tokenizer.tokenize("zebra")[0] == "zebra</w>"
    packaged = type(tokenizer).from_pretrained(PIPELINE / "tokenizer")
    assert packaged("a photo of two buses").input_ids == tokenizer("a photo of two buses").input_ids


@pytest.fixture
def copy(tmp_path) -> Path:
    return Path(shutil.copytree(PIPELINE, tmp_path / "pipeline"))


def test_a_missing_or_damaged_file_is_named_with_the_remedy(copy):
    unet = copy / "unet" / "diffusion_pytorch_model.safetensors"
    unet.write_bytes(unet.read_bytes()[:1000])
    kind = "StableDiffusionPipeline"
    cut = r"unet/diffusion_pytorch_model.safetensors is cut short or damaged"
    with pytest.raises(BenchError, match=cut):
        check_pipeline_folder(copy, kind, REMEDY)
    unet.unlink()
    with pytest.raises(BenchError, match=r"holds no weights .*: reinstall .*make train-miniature"):
        check_pipeline_folder(copy, kind, REMEDY)


def test_nothing_reaches_for_the_network(monkeypatch):
    import socket

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    load_pipeline.let_go()
    backbone, digest = load_backbone(make_cell(cell_settings([], [])).backbone)
    assert digest.endswith(" in float32") and backbone.latent_shape == (4, 16, 16)
