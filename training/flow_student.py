"""Last stage: the flow-matching miniature's denoiser distilled for 1, 2 and 4 steps.

As students.py distils the miniature's, on the straight path x_t = (1 − t) x_0 + t ε: the teacher's
jumps are Euler's steps along its guided velocity (by the midpoint rule), the student predicts a
velocity too, and its answer x_t − t v needs no boundary condition, for it is x_t at t = 0. It is a
map from any x_t to the end of the flow's trajectory. FlowMatchLCMScheduler jumps there and noises
anew. A jump is a fourth of the way, from one timestep that 4 steps visit to the next, so that only
three answers are built on others.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from torch import Tensor

from bench.miniature.pipeline import FLOW, FLOW_STUDENT
from training.diffusion import encode_bank
from training.students import Family, Levels, distil

STEPS = 900
TIMES = 1_000  # of the whole path


def mean_of_velocity(levels: Levels, x: Tensor, output: Tensor, t: Tensor) -> Tensor:
    """Of a denoiser that predicts ε − x_0."""
    return x - levels.at(t)[1] * output


def no_boundary(t: Tensor) -> tuple[Tensor, Tensor]:
    """c_skip 0 and c_out 1: what a velocity says at t = 0 is x itself."""
    ones = torch.ones(len(t), 1, 1, 1)
    return torch.zeros_like(ones), ones


def family() -> Family:
    return Family(
        levels=Levels.straight(TIMES),
        mean=mean_of_velocity,
        boundary=no_boundary,
        weights=torch.ones(TIMES + 1),  # an error of the velocity is no louder in x_0
        jump=250,
        grid=range(25, TIMES + 1, 25),
        visited=(1000, 1000, 1000, 750, 500, 250),
        solver={
            "scheduler": "FlowMatchLCMScheduler",
            "stochastic": True,
            "denoiser": "lcm",
            "guidance": 1.0,
        },
    )


def train(folder: Path, vae_folder: Path) -> None:
    """Distil (or resume), judge on the way, and write the student beside the packaged weights."""
    pipeline = StableDiffusionPipeline.from_pretrained(FLOW, torch_dtype=torch.float32)
    bank = encode_bank(
        AutoencoderKL.from_pretrained(vae_folder).eval(),
        folder.parent / "diffusion" / "bank.safetensors",
    )
    distil("flow_student", folder, pipeline, family(), bank, STEPS, FLOW_STUDENT)
