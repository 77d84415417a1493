"""A tiny random Stable Diffusion pipeline, and rewards with known derivatives."""

from __future__ import annotations

import os
from copy import deepcopy
from functools import cache
from io import StringIO
from typing import Any

# Toy tensors gain nothing from threads, and lose much where other work shares the cores. Set before
# torch starts, and for the processes that tests start.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor
from yaml import YAMLError

from bench.backbones.latent import LatentDiffusion
from bench.noise import Ledger
from methods.problem import Problem

SOLVERS = {
    "ddpm": {"scheduler": "DDIMScheduler", "eta": 1.0},
    "ddim": {"scheduler": "DDIMScheduler", "eta": 0.0},
    "dpm": {"scheduler": "DPMSolverMultistepScheduler"},
}


# Hydra parses every file again for each configuration that it composes, and tests compose a
# thousand of the same files: a quarter of the time that takes. A file's text decides what it is.
load = OmegaConf.load
parsed = cache(lambda text: load(StringIO(text)))


def load_once(file: Any) -> Any:
    if not hasattr(file, "read"):
        return load(file)
    try:
        return deepcopy(parsed(file.read()))
    except YAMLError:
        file.seek(0)
        return load(file)  # for the file's name in the error


OmegaConf.load = staticmethod(load_once)  # type: ignore[method-assign]

# Long files, to be begun first: with one file a process, what is begun last is waited for.
LONG = (
    *("test_paper.py", "test_scale_out.py", "test_run.py", "test_pretended_gpus.py"),
    *("test_every_method.py", "test_page.py"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)


class Brightness:
    """Mean pixel value in thousandths: differentiable, blind to the prompt."""

    name = "brightness"
    differentiable = True

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        return 1000 * images.mean(dim=(1, 2, 3))


@pytest.fixture(scope="session")
def pipeline() -> Any:
    from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from bench.miniature.text import MAX_TOKENS, build_tokenizer
    from training.diffusion import build_scheduler

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(16, 32),
        norm_num_groups=8,
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=2,
    )
    vae = AutoencoderKL(block_out_channels=(8,), norm_num_groups=8, sample_size=8)
    tokenizer = build_tokenizer()
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=MAX_TOKENS,
            eos_token_id=1,
            bos_token_id=0,
        )
    )
    pipe = StableDiffusionPipeline(
        vae, text, tokenizer, unet, build_scheduler(), None, None, requires_safety_checker=False
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def backbone(pipeline: Any) -> LatentDiffusion:
    return LatentDiffusion(pipeline, SOLVERS, guidance=3.0)


@pytest.fixture
def problem(backbone: LatentDiffusion) -> Problem:
    prompt = "a photo of a cat"
    return Problem(
        backbone=backbone,
        reward=Brightness(),
        noise=Ledger(0, prompt),
        prompt=prompt,
        condition=backbone.encode(prompt),
        images=4,
        solver="ddpm",
        steps=4,
    )
