"""Stable Diffusion XL: two text encoders, pooled text and image sizes beside the time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bench.backbones.latent import LatentDiffusion
from bench.backbones.text import Text


class SDXL(LatentDiffusion):
    """A StableDiffusionXLPipeline (Podell et al., arXiv 2307.01952) at its own resolution.

    The empty prompt's embeddings are what the pipeline makes of no negative prompt: zeros, where
    its config says so.
    """

    def _embed(self, prompt: str) -> tuple[Text, Text | None]:
        parts: Any = self.pipeline.encode_prompt(prompt, device=self.device)
        prompted, empty, pooled, empty_pooled = parts
        return Text(prompted, pooled), Text(empty, empty_pooled)

    def _call(self, x: Tensor, t: Tensor, text: Text, guidance: float) -> Tensor:
        side = self.latent_shape[-1] * self.pipeline.vae_scale_factor
        # (height, width) of the original, its crop's corner, the target: filled on the device.
        sizes = torch.full((len(x), 6), float(side), device=x.device, dtype=text.sequence.dtype)
        sizes[:, 2:4] = 0
        added = {"text_embeds": text.pooled, "time_ids": sizes}
        return self.denoiser(x, t, text.sequence, added_cond_kwargs=added).sample
