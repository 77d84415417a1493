"""Stage 1: the autoencoder, 64 x 64 x 3 pixels to 4 x 16 x 16 latents.

Loss: L1 plus 4 x L2, foreground pixels weighted, and a faint KL. Thin strokes cover few pixels, so
without the weight they vanish first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from training import scenes
from training.loop import Losses, fit

SEED = 1_000
STEPS, BATCH, LR = 2_000, 32, 2e-3
FOREGROUND = 4.0
KL = 1e-5


def build() -> AutoencoderKL:
    torch.manual_seed(SEED)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        norm_num_groups=8,
        latent_channels=4,
        sample_size=scenes.SIZE,
        mid_block_add_attention=False,
        scaling_factor=1.0,
    )


def pixels(step: int, size: int, seed: int = SEED) -> Tensor:
    """A batch of fresh scenes, keyed by (seed, step): (size, 3, 64, 64) in [-1, 1]."""
    rng = np.random.default_rng((seed, step))
    return torch.from_numpy(scenes.to_tensor([s.image for s in scenes.batch(rng, size)]))


def psnr(vae: AutoencoderKL, images: Tensor) -> float:
    """Mean over images of 10 log10(1 / MSE), pixels in [0, 1], latents at their mode."""
    with torch.no_grad():
        back = vae.decode(vae.encode(images).latent_dist.mode()).sample.clamp(-1, 1)
    error = ((back - images) / 2).pow(2).mean(dim=(1, 2, 3))
    return float((-10 * error.log10()).mean())


def train(folder: Path, vae_folder: Path) -> None:
    """Train (or resume) and save the averaged autoencoder, its latent scale set; once."""
    if vae_folder.exists():
        return
    vae = build()
    held_out = pixels(0, 256, seed=SEED + 1)

    def loss_of(step: int) -> tuple[Tensor, Losses]:
        x = pixels(step, BATCH)
        generator = torch.Generator().manual_seed(SEED * 1_000_000 + step)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=generator)
            back = vae.decode(posterior.mean + posterior.std * noise).sample
        background = x.flatten(2).median(-1).values[..., None, None]
        weight = 1 + FOREGROUND * ((x - background).abs().amax(1, keepdim=True) > 0.1)
        off = back.float() - x
        fit_loss = (weight * (off.abs() + 2 * off.square())).mean()
        kl = posterior.kl().float().mean()
        return fit_loss + KL * kl, {"fit": float(fit_loss), "kl": float(kl)}

    def evaluate(step: int) -> Losses:
        return {"psnr": psnr(vae, held_out)}

    fit(
        "vae",
        folder,
        [vae],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=BATCH,
        evaluate=evaluate,
        evaluate_every=400,
    )
    with torch.no_grad():
        latents = vae.encode(pixels(1, 512, seed=SEED + 1)).latent_dist.sample(
            torch.Generator().manual_seed(SEED)
        )
    vae.register_to_config(scaling_factor=float(1 / latents.std()))
    vae.eval().save_pretrained(vae_folder)
