"""Stage 2: the denoiser and its text encoder, trained together on the autoencoder's latents.

ε-prediction on Stable Diffusion's scaled-linear schedule, min-SNR-5 weights (Hang et al. 2023),
10 % of captions dropped for classifier-free guidance, EMA of the weights. Each snapshot of the
averaged weights can be judged later (``curve``).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from bench.geneval.prompts import COLORS
from bench.miniature.text import END, MAX_TOKENS, build_tokenizer
from training import scenes
from training.loop import Losses, fit

SEED = 2_000
BANK = 96_000
STEPS, BATCH, LR = 11_000, 32, 8e-4
POLISH_STEPS, POLISH_BATCH, POLISH_LR = 1_500, 64, 4e-4  # a second, shorter round
CAPTION_DROPOUT = 0.1
# Color is the last thing that the model learns, and most captions leave it open: late in training
# at least this share of a batch names one.
COLOR_FROM, COLOR_SHARE = 9_200, 0.5
SNR_CAP = 5.0
SNAPSHOT_EVERY = 1_000
WIDTH = 128


def build_unet() -> UNet2DConditionModel:
    torch.manual_seed(SEED)
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
    )


def build_text_encoder() -> CLIPTextModel:
    torch.manual_seed(SEED + 1)
    tokenizer = build_tokenizer()
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=MAX_TOKENS,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.convert_tokens_to_ids(END),
        )
    )


def build_scheduler() -> DDIMScheduler:
    """Stable Diffusion v1.5's own scheduler settings."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def encode_bank(vae: AutoencoderKL, path: Path) -> dict[str, Tensor]:
    """Scaled latents (BANK, 4, 16, 16) float16 and token ids (BANK, 16), drawn once, kept."""
    if path.exists():
        return load_file(path)
    tokenizer = build_tokenizer()
    latents, tokens = [], []
    for chunk in range(0, BANK, 500):
        rng = np.random.default_rng((SEED, chunk))
        drawn = scenes.batch(rng, 500)
        pixels = torch.from_numpy(scenes.to_tensor([s.image for s in drawn]))
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            mean = vae.encode(pixels).latent_dist.mode()
        latents.append((mean.float() * vae.config.scaling_factor).half())
        captions = [s.metadata["prompt"] for s in drawn]
        tokens.append(tokenizer(captions, padding="max_length", return_tensors="pt").input_ids)
    bank = {"latents": torch.cat(latents), "tokens": torch.cat(tokens)}
    save_file(bank, path)
    return bank


def train(folder: Path, vae_folder: Path) -> None:
    """Train (or resume); snapshots of the averaged weights go to ``folder/snapshots``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "snapshots").mkdir(exist_ok=True)
    vae = AutoencoderKL.from_pretrained(vae_folder).eval()
    bank = encode_bank(vae, folder / "bank.safetensors")
    unet, text = build_unet(), build_text_encoder()
    # On CPU the fused attention's backward pass is slow at these sequence lengths.
    unet.set_attn_processor(AttnProcessor())
    unet.train()
    text.train()
    alphas_bar = build_scheduler().alphas_cumprod
    snr = alphas_bar / (1 - alphas_bar)
    weights = snr.clamp(max=SNR_CAP) / snr
    tokenizer = build_tokenizer()
    empty = tokenizer("", padding="max_length", return_tensors="pt").input_ids[0]
    color_ids = torch.tensor([tokenizer.convert_tokens_to_ids(f"{c}</w>") for c in COLORS])
    colored = torch.isin(bank["tokens"], color_ids).any(dim=1).nonzero().flatten()

    def loss_of(step: int, size: int = BATCH) -> tuple[Tensor, Losses]:
        g = torch.Generator().manual_seed(SEED * 1_000_000 + step)
        rows = torch.randint(len(bank["latents"]), (size,), generator=g)
        if step >= COLOR_FROM:
            some = int(size * COLOR_SHARE)
            rows[:some] = colored[torch.randint(len(colored), (some,), generator=g)]
        x0, ids = bank["latents"][rows].float(), bank["tokens"][rows].clone()
        ids[torch.rand(size, generator=g) < CAPTION_DROPOUT] = empty
        t = torch.randint(len(alphas_bar), (size,), generator=g)
        noise = torch.randn(x0.shape, generator=g)
        a = alphas_bar[t, None, None, None]
        x = a.sqrt() * x0 + (1 - a).sqrt() * noise
        with torch.autocast("cpu", torch.bfloat16):
            predicted = unet(x, t, text(ids).last_hidden_state).sample
        error = (predicted.float() - noise).square().mean(dim=(1, 2, 3))
        return (weights[t] * error).mean(), {"mse": float(error.detach().mean())}

    def snapshot(step: int) -> Losses:
        state = {f"unet.{k}": v.half() for k, v in unet.state_dict().items()}
        state |= {
            f"text.{k}": v.half() for k, v in text.state_dict().items() if v.is_floating_point()
        }
        save_file(state, folder / "snapshots" / f"{step:06d}.safetensors")
        return {}

    fit(
        "diffusion",
        folder,
        [unet, text],
        loss_of,
        steps=STEPS,
        lr=LR,
        batch=BATCH,
        warmup=500,
        flat=0.7,
        evaluate=snapshot,
        evaluate_every=SNAPSHOT_EVERY,
    )
    fit(
        "polish",
        folder,
        [unet, text],
        lambda step: loss_of(STEPS + step, POLISH_BATCH),
        steps=POLISH_STEPS,
        lr=POLISH_LR,
        batch=POLISH_BATCH,
        warmup=100,
        flat=0.3,
        evaluate=lambda step: snapshot(STEPS + step),
        evaluate_every=SNAPSHOT_EVERY,
    )


def samples_seen(step: int) -> int:
    """Training samples behind the snapshot of this step, both rounds counted."""
    return min(step, STEPS) * BATCH + max(0, step - STEPS) * POLISH_BATCH


def load_snapshot(path: Path) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    unet, text = build_unet(), build_text_encoder()
    state = load_file(path)
    for prefix, module in (("unet.", unet), ("text.", text)):
        own = {k[len(prefix) :]: v.float() for k, v in state.items() if k.startswith(prefix)}
        module.load_state_dict(module.state_dict() | own)
    return unet.eval(), text.eval()


def assemble(
    vae: AutoencoderKL, unet: UNet2DConditionModel, text: CLIPTextModel
) -> StableDiffusionPipeline:
    """The four parts as the pipeline class that Stable Diffusion v1.5 loads as."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=build_tokenizer(),
        unet=unet,
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
