"""The flow-matching miniature: the denoiser of stage 2 trained on, to predict a velocity.

Path x_t = (1 − t) x_0 + t ε, target ε − x_0 (Lipman et al., arXiv 2210.02747; rectified flow, Liu
et al., arXiv 2209.03003), t drawn logit-normal as for Stable Diffusion 3 (Esser et al., arXiv
2403.03206); the model's time is 1000 t. It starts from the packaged miniature's UNet, which
predicts ε on another path, and keeps its autoencoder and its text encoder as they are.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextModel

from bench.miniature.pipeline import PIPELINE
from bench.miniature.text import build_tokenizer
from training.diffusion import CAPTION_DROPOUT, encode_bank
from training.loop import Losses, fit

SEED = 50_000
STEPS, BATCH, LR = 1_800, 32, 5e-4
SNAPSHOT_EVERY = 600


def build_scheduler() -> DPMSolverMultistepScheduler:
    """Of first order it is Euler's method on the flow path, and the pipeline of Stable Diffusion
    takes it, which flow matching's own scheduler is not written for."""
    return DPMSolverMultistepScheduler(
        solver_order=1,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=1.0,
    )


def train(folder: Path, vae_folder: Path) -> None:
    """Train (or resume); snapshots of the averaged weights go to ``folder/snapshots``."""
    (folder / "snapshots").mkdir(parents=True, exist_ok=True)
    vae = AutoencoderKL.from_pretrained(PIPELINE / "vae", torch_dtype=torch.float32).eval()
    bank = encode_bank(vae, folder / "bank.safetensors")
    unet, text = load_parts()
    unet.set_attn_processor(AttnProcessor())
    unet.train()
    empty = build_tokenizer()("", padding="max_length", return_tensors="pt").input_ids[0]

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        g = torch.Generator().manual_seed(SEED * 1_000_000 + step)
        rows = torch.randint(len(bank["latents"]), (BATCH,), generator=g)
        x0, ids = bank["latents"][rows].float(), bank["tokens"][rows].clone()
        ids[torch.rand(BATCH, generator=g) < CAPTION_DROPOUT] = empty
        t = torch.randn(BATCH, generator=g).sigmoid()
        noise = torch.randn(x0.shape, generator=g)
        at = t[:, None, None, None]
        with torch.no_grad():
            words = text(ids).last_hidden_state
        velocity = unet((1 - at) * x0 + at * noise, 1000 * t, words).sample
        loss = (velocity - (noise - x0)).square().mean()
        return loss, {"mse": float(loss.detach())}

    def snapshot(step: int) -> Losses:
        state = {name: value.half() for name, value in unet.state_dict().items()}
        save_file(state, folder / "snapshots" / f"{step:06d}.safetensors")
        return {}

    fit(
        "flow",
        folder,
        [unet],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=BATCH,
        every=100,
        flat=0.5,
        evaluate=snapshot,
        evaluate_every=SNAPSHOT_EVERY,
    )


def load_parts() -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """The packaged miniature's denoiser and its text encoder, which is not trained on."""
    unet = UNet2DConditionModel.from_pretrained(PIPELINE / "unet", torch_dtype=torch.float32)
    text = CLIPTextModel.from_pretrained(PIPELINE / "text_encoder", torch_dtype=torch.float32)
    return unet, text.eval().requires_grad_(False)


def assemble(snapshot: Path) -> StableDiffusionPipeline:
    """A snapshot as a pipeline of the class that the miniature loads as."""
    pipeline = StableDiffusionPipeline.from_pretrained(PIPELINE, torch_dtype=torch.float32)
    pipeline.unet.load_state_dict({k: v.float() for k, v in load_file(snapshot).items()})
    pipeline.scheduler = build_scheduler()
    return pipeline
