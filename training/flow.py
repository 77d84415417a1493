"""After the export: the packaged denoiser trained on, to predict a velocity (flow matching).

Path x_t = (1 − t) x_0 + t ε, target ε − x_0 (Lipman et al., arXiv 2210.02747; Liu et al., arXiv
2209.03003), t drawn logit-normal as for Stable Diffusion 3 (Esser et al., arXiv 2403.03206); the
model's time is 1000 t. It starts from the miniature's UNet, which predicts ε on another path, and
keeps the autoencoder and the text encoder as they are.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor

from bench.backbones.latent import LatentDiffusion
from bench.miniature.pipeline import FLOW, PIPELINE
from training.curve import judge_backbone
from training.diffusion import CAPTION_DROPOUT, assemble, encode_bank
from training.loop import Losses, fit

SEED = 50_000
STEPS, BATCH, LR = 1_800, 32, 5e-4
JUDGE_EVERY = 600
SOLVERS = {"dpm": {"scheduler": "DPMSolverMultistepScheduler", "solver_order": 2}}
GUIDANCE, JUDGED_STEPS = 3.0, 12


def build_scheduler() -> DPMSolverMultistepScheduler:
    """Of first order it is Euler's method on the flow path, and Stable Diffusion's pipeline takes
    it; flow matching's own scheduler lacks methods that the pipeline calls."""
    return DPMSolverMultistepScheduler(
        solver_order=1,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=1.0,
        steps_offset=1,  # means nothing here; the pipeline warns of any other
    )


def flow_pair(x0: Tensor, noise: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """x_t and the velocity ε − x_0 that the denoiser is to predict there."""
    at = t[:, None, None, None]
    return (1 - at) * x0 + at * noise, noise - x0


def train(folder: Path, vae_folder: Path) -> None:
    """Train (or resume), judging on the way, and write the pipeline folder into the package."""
    packaged = StableDiffusionPipeline.from_pretrained(PIPELINE, dtype=torch.float32)
    vae, unet, text = packaged.vae, packaged.unet, packaged.text_encoder
    bank = encode_bank(vae, folder.parent / "diffusion" / "bank.safetensors")
    unet.set_attn_processor(AttnProcessor())
    unet.train()
    empty = packaged.tokenizer("", padding="max_length", return_tensors="pt").input_ids[0]

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        g = torch.Generator().manual_seed(SEED * 1_000_000 + step)
        rows = torch.randint(len(bank["latents"]), (BATCH,), generator=g)
        x0, ids = bank["latents"][rows].float(), bank["tokens"][rows].clone()
        ids[torch.rand(BATCH, generator=g) < CAPTION_DROPOUT] = empty
        t = torch.randn(BATCH, generator=g).sigmoid()
        x, velocity = flow_pair(x0, torch.randn(x0.shape, generator=g), t)
        with torch.no_grad():
            words = text(ids).last_hidden_state
        loss = (unet(x, 1000 * t, words).sample - velocity).square().mean()
        return loss, {"mse": float(loss.detach())}

    def assembled() -> StableDiffusionPipeline:
        pipeline = assemble(vae, deepcopy(unet), text)
        pipeline.scheduler = build_scheduler()
        return pipeline

    def judged(step: int) -> Losses:
        backbone = LatentDiffusion(assembled(), SOLVERS, GUIDANCE)
        return judge_backbone(backbone, "dpm", JUDGED_STEPS)

    fit(
        "flow",
        folder,
        [unet],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=BATCH,
        every=100,
        evaluate=judged,
        evaluate_every=JUDGE_EVERY,
    )
    pipeline = assembled().to(dtype=torch.float16)
    for part in (pipeline.unet, pipeline.vae):
        part.register_to_config(_name_or_path="miniature")  # not this machine's own path
    pipeline.save_pretrained(FLOW)
