"""A denoiser distilled for 1, 2 and 4 steps, from the packaged pipeline's own.

Latent consistency distillation (Luo et al. 2023): the student f(x_t, t) is to say at every point of
the teacher's guided trajectory where that trajectory ends. Its target at x_t is its own answer,
without gradients (Song & Dhariwal 2023), at the point x_s that the teacher reaches from x_t under
classifier-free guidance at the weight that the benchmark uses; the student itself then needs none.
What pays on a small budget: a jump from t to s is long (a fourth or an eighth of the way from noise
to image) and made by the midpoint rule, so that few answers are built on one another; half of each
batch is drawn at the timesteps that the schedules of 1, 2 and 4 steps visit; and an error at a
noisy x_t weighs α/σ less, or those would decide alone, for so much louder is an error of ε in x_0.

``Family`` holds what depends on the denoiser's path: here it is the miniature's own; that of the
flow-matching miniature is in flow_student.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from bench.backbones.latent import LatentDiffusion
from bench.miniature.pipeline import PIPELINE, STUDENT
from training.curve import judge_backbone
from training.diffusion import encode_bank
from training.loop import Losses, export, fit

SEED = 50_000
STEPS, BATCH, LR = 750, 32, 4e-4
GUIDANCE = 3.0  # conf/backbone/miniature.yaml, and miniature_flow's
HUBER = 0.03  # of a latent's root mean square
SNAPSHOT_EVERY = 250
FEW = (1, 2, 4)

Predict = Callable[[Tensor, Tensor], Tensor]  # (x_t, t (B,)) to the clean latent
Boundary = Callable[[Tensor], tuple[Tensor, Tensor]]  # t (B,) to c_skip and c_out (B, 1, 1, 1)


@dataclass(frozen=True)
class Levels:
    """α and σ of x_t = α x_0 + σ ε at every timestep; timestep 0 is the clean latent itself."""

    alpha: Tensor
    sigma: Tensor

    @staticmethod
    def of(alphas_bar: Tensor) -> Levels:
        bars = alphas_bar.clone()
        bars[0] = 1.0
        return Levels(bars.sqrt(), (1 - bars).sqrt())

    @staticmethod
    def straight(steps: int) -> Levels:
        """Flow matching's, α + σ = 1, on which ``ddim`` is Euler's step."""
        sigma = torch.arange(steps + 1) / steps
        return Levels(1 - sigma, sigma)

    def at(self, t: Tensor) -> tuple[Tensor, Tensor]:
        return self.alpha[t, None, None, None], self.sigma[t, None, None, None]

    def noised(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = self.at(t)
        return alpha * x0 + sigma * noise

    def ddim(self, x: Tensor, x0: Tensor, t: Tensor, s: Tensor) -> Tensor:
        """From t down to s along the line that ``x0`` says."""
        (alpha, sigma), (alpha_s, sigma_s) = self.at(t), self.at(s)
        return alpha_s * x0 + sigma_s / sigma * (x - alpha * x0)


def boundary(t: Tensor, scaling: float = 10.0, sigma_data: float = 0.5) -> tuple[Tensor, Tensor]:
    """LCMScheduler's c_skip and c_out (B, 1, 1, 1), by which f(x, 0) is x."""
    scaled = scaling * t[:, None, None, None].double()
    norm = scaled**2 + sigma_data**2
    return (sigma_data**2 / norm).float(), (scaled / norm.sqrt()).float()


@dataclass(frozen=True)
class Family:
    """What distilling depends on: the path, its timesteps and what the denoiser predicts.

    ``mean`` makes a denoiser's output at x_t, t the clean latent; ``weights`` (by timestep) are
    those of the errors.
    """

    levels: Levels
    mean: Callable[[Levels, Tensor, Tensor, Tensor], Tensor]
    boundary: Boundary
    weights: Tensor
    jump: int  # timesteps, a multiple of twice the grid's spacing
    grid: Sequence[int]  # where the student's scheduler steps; the last is pure noise
    visited: tuple[int, ...]  # by 4 steps; the first, the only one of 1 step, several times
    solver: Mapping[str, Any]  # by which it is judged

    def consistent(self, predict: Predict, x: Tensor, t: Tensor) -> Tensor:
        """f(x_t, t) of a denoiser, as its scheduler makes it."""
        c_skip, c_out = self.boundary(t)
        return c_skip * x + c_out * predict(x, t)

    def jumped(self, teacher: Predict, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Where the teacher's trajectory through x_t is after a jump, and when; by the midpoint
        rule."""
        s = (t - self.jump).clamp(min=0)
        middle = (t + s) // 2
        x_middle = self.levels.ddim(x, teacher(x, t), t, middle)
        return self.levels.ddim(x, teacher(x_middle, middle), t, s), s

    @torch.no_grad()
    def target(self, teacher: Predict, student: Predict, x: Tensor, t: Tensor) -> Tensor:
        """What f is to say at x_t: what it says where the teacher has come to."""
        return self.consistent(student, *self.jumped(teacher, x, t))

    def draw(self, size: int, g: torch.Generator) -> Tensor:
        """Timesteps (size,), half of them visited ones, half anywhere on the grid."""
        visited, grid = torch.tensor(self.visited), torch.tensor(self.grid)
        some = size // 2
        return torch.cat(
            [
                visited[torch.randint(len(visited), (some,), generator=g)],
                grid[torch.randint(len(grid), (size - some,), generator=g)],
            ]
        )


def mean_of_noise(levels: Levels, x: Tensor, output: Tensor, t: Tensor) -> Tensor:
    """Of a denoiser that predicts ε."""
    alpha, sigma = levels.at(t)
    return (x - sigma * output) / alpha


def family(alphas_bar: Tensor) -> Family:
    """The miniature's: variance preserving, for LCMScheduler."""
    levels = Levels.of(alphas_bar)
    return Family(
        levels=levels,
        mean=mean_of_noise,
        boundary=boundary,
        weights=(levels.alpha / levels.sigma).clamp(max=1),
        jump=120,
        grid=range(19, 1_000, 20),
        visited=(999, 999, 999, 759, 499, 259),
        solver={
            "scheduler": "LCMScheduler",
            "stochastic": True,
            "denoiser": "lcm",
            "guidance": 1.0,
        },
    )


def pseudo_huber(error: Tensor) -> Tensor:
    """The root mean square of each sample's error, rounded off at HUBER."""
    return (error.square().mean(dim=(1, 2, 3)) + HUBER**2).sqrt() - HUBER


def train(folder: Path, vae_folder: Path) -> None:
    """Distil (or resume), judge on the way, and write the student beside the packaged weights."""
    pipeline = StableDiffusionPipeline.from_pretrained(PIPELINE, torch_dtype=torch.float32)
    bank = encode_bank(
        AutoencoderKL.from_pretrained(vae_folder).eval(),
        folder.parent / "diffusion" / "bank.safetensors",
    )
    own = family(pipeline.scheduler.alphas_cumprod)
    distil("students", folder, pipeline, own, bank, STEPS, STUDENT)


def distil(
    name: str,
    folder: Path,
    pipeline: StableDiffusionPipeline,
    family: Family,
    bank: Mapping[str, Tensor],
    steps: int,
    file: Path,
) -> None:
    """Distil the pipeline's denoiser (or resume), judge on the way, and write the student."""
    unet, text = pipeline.unet, pipeline.text_encoder
    unet.set_attn_processor(AttnProcessor())
    student = deepcopy(unet)
    solver = str(family.solver["denoiser"])
    backbone = LatentDiffusion(
        pipeline, {solver: family.solver}, GUIDANCE, students={solver: student}
    )
    levels, noisiest = family.levels, family.grid[-1]
    empty = pipeline.tokenizer("", padding="max_length", return_tensors="pt").input_ids

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        g = torch.Generator().manual_seed(SEED * 1_000_000 + step)
        rows = torch.randint(len(bank["latents"]), (BATCH,), generator=g)
        x0, t = bank["latents"][rows].float(), family.draw(BATCH, g)
        noise = torch.randn(x0.shape, generator=g)
        # Samplers begin at noise alone, though a schedule may leave a trace of the image there.
        x = torch.where((t == noisiest)[:, None, None, None], noise, levels.noised(x0, noise, t))
        with torch.no_grad():
            words = text(bank["tokens"][rows]).last_hidden_state
            both = torch.cat([words, text(empty).last_hidden_state.expand_as(words)])

        def teacher(x: Tensor, t: Tensor) -> Tensor:
            prompted, bare = unet(torch.cat([x, x]), torch.cat([t, t]), both).sample.chunk(2)
            return family.mean(levels, x, bare + GUIDANCE * (prompted - bare), t)

        def predict(x: Tensor, t: Tensor) -> Tensor:
            return family.mean(levels, x, student(x, t, words).sample, t)

        goal = family.target(teacher, predict, x, t)
        error = pseudo_huber(family.consistent(predict, x, t) - goal)
        first = error[t == noisiest].detach().mean()
        parts = {"error": float(error.detach().mean()), "first": float(first)}
        return (family.weights[t] * error).mean(), parts

    def judged(step: int) -> Losses:
        marks = {n: judge_backbone(backbone, solver, n) for n in FEW}
        return {f"{key}_{n}": value for n in FEW for key, value in marks[n].items()}

    fit(
        name,
        folder,
        [student],
        loss_of,
        steps=steps,
        lr=LR,
        batch=BATCH,
        warmup=50,
        flat=0.6,
        weight_decay=0.0,
        ema_decay=0.99,
        every=50,
        evaluate=judged,
        evaluate_every=SNAPSHOT_EVERY,
    )
    export(student, file)
