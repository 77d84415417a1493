"""FLUX: a flow-matching transformer whose guidance weight is one of its inputs.

The model's path is x_t = (1 − t) x_0 + t ε and its output the velocity ε − x_0, so its posterior
mean is x_t − t v. Latents stay images (C, H, W) here; the transformer takes 2 × 2 patches of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.backbones.latent import LatentDiffusion
from bench.backbones.text import Text

PATCH = 2


@cache
def _places(height: int, width: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The patches' coordinates; made once, for copying them to the device holds up the host."""
    from diffusers import FluxPipeline

    return FluxPipeline._prepare_latent_image_ids(1, height, width, device, dtype)


@dataclass
class Flux(LatentDiffusion):
    """A FluxPipeline; its T5 reads at most ``tokens`` of a prompt."""

    tokens: int = 512

    def _denoiser(self) -> Any:
        return self.pipeline.transformer

    def _shape(self) -> tuple[int, ...]:
        factor = self.pipeline.vae_scale_factor
        pixels = self.pipeline.default_sample_size * factor if self.pixels is None else self.pixels
        side = PATCH * (pixels // (factor * PATCH))
        return (self.teacher.config.in_channels // PATCH**2, side, side)

    def _embed(self, prompt: str) -> tuple[Text, Text | None]:
        sequence, pooled, _ = self.pipeline.encode_prompt(
            prompt, None, device=self.device, max_sequence_length=self.tokens
        )
        return Text(sequence, pooled), None

    def _call(self, x: Tensor, t: Tensor, text: Text, guidance: float) -> Tensor:
        count, channels, height, width = x.shape
        pipe = type(self.pipeline)
        packed = pipe._pack_latents(x, count, channels, height, width)
        places = _places(height // PATCH, width // PATCH, x.device, x.dtype)
        weight = None
        if self.teacher.config.guidance_embeds:
            weight = torch.full((count,), float(guidance), device=x.device)
        output = self.denoiser(
            hidden_states=packed,
            timestep=t.to(x.dtype) / 1000,
            guidance=weight,
            pooled_projections=text.pooled,
            encoder_hidden_states=text.sequence,
            txt_ids=torch.zeros(text.sequence.shape[1], 3, device=x.device, dtype=x.dtype),
            img_ids=places,
        ).sample
        factor = self.pipeline.vae_scale_factor
        return pipe._unpack_latents(output, height * factor, width * factor, factor)

    def _schedule(self, steps: int) -> dict[str, Any]:
        """Even noise levels, shifted by the number of image tokens, as the pipeline does."""
        from diffusers.pipelines.flux.pipeline_flux import calculate_shift

        tokens = (self.latent_shape[-1] // PATCH) ** 2
        keys = ("base_image_seq_len", "max_image_seq_len", "base_shift", "max_shift")
        config = self.scheduler.config
        shift = calculate_shift(tokens, *(config.get(key) for key in keys))
        return {"sigmas": np.linspace(1.0, 1 / steps, steps), "mu": shift}
