"""Latent diffusion: a diffusers Stable Diffusion pipeline as a Backbone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from bench.backbones.solver import SchedulerSolver, make_scheduler, vp_level
from methods.interfaces import Level
from methods.settings import one_of


@dataclass(frozen=True)
class TextCondition:
    """Prompt and empty-prompt embeddings, (1, L, D) or (B, L, D), and the CFG weight."""

    embedding: Tensor
    empty: Tensor
    guidance: float
    unconditional: Tensor | None = None

    @property
    def guided(self) -> bool:
        return self.guidance > 1

    @property
    def evaluations(self) -> int:
        """Denoiser samples that one posterior mean costs."""
        return 2 if self.guided and self.unconditional is None else 1

    def moved(self, embedding: Tensor, unconditional: Tensor | None = None) -> TextCondition:
        """With embeddings (B, L, D), and the noise prediction (B, …) of the empty prompt at the x
        in question where it is known already."""
        return replace(self, embedding=embedding, unconditional=unconditional)


class LatentDiffusion:
    """ε- or v-prediction UNet, KL autoencoder and CLIP text encoder of one pipeline.

    ``solvers`` names diffusers schedulers with their options, ``guidance`` is the default CFG
    weight, ``max_batch`` the most denoiser samples in one call.
    """

    def __init__(
        self,
        pipeline: Any,
        solvers: Mapping[str, Mapping[str, Any]],
        guidance: float,
        max_batch: int,
    ):
        self.unet, self.vae = pipeline.unet.eval(), pipeline.vae.eval()
        self.text_encoder, self.tokenizer = pipeline.text_encoder.eval(), pipeline.tokenizer
        self.scheduler = pipeline.scheduler
        for module in (self.unet, self.vae, self.text_encoder):
            module.requires_grad_(False)
        self.vae.to(memory_format=torch.channels_last)  # a quarter faster on CPUs
        self.solvers, self.guidance, self.max_batch = solvers, guidance, max_batch
        self.device = self.unet.device
        size = self.unet.config.sample_size
        self.latent_shape: tuple[int, ...] = (self.unet.config.in_channels, size, size)
        self.alphas_bar = self.scheduler.alphas_cumprod.tolist()

    def _embed(self, text: str) -> Tensor:
        ids = self.tokenizer(
            text,
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        with torch.no_grad():
            return self.text_encoder(ids.to(self.device)).last_hidden_state

    def encode(self, prompt: str, guidance: float | None = None) -> TextCondition:
        weight = self.guidance if guidance is None else guidance
        return TextCondition(self._embed(prompt), self._embed(""), weight)

    def _noise_prediction(self, x: Tensor, t: float, condition: TextCondition) -> Tensor:
        prompt = condition.embedding.expand(len(x), -1, -1)
        if not condition.guided:
            return self.unet(x, t, prompt).sample
        if condition.unconditional is not None:
            empty, prompted = condition.unconditional, self.unet(x, t, prompt).sample
        else:
            text = torch.cat([condition.empty.expand_as(prompt), prompt])
            empty, prompted = self.unet(torch.cat([x, x]), t, text).sample.chunk(2)
        return empty + condition.guidance * (prompted - empty)

    def _chunks(
        self, x: Tensor, condition: TextCondition
    ) -> Iterator[tuple[Tensor, TextCondition]]:
        size = max(1, self.max_batch // condition.evaluations)
        for start in range(0, len(x), size):
            part, own = slice(start, start + size), condition
            if len(condition.embedding) > 1:
                own = replace(own, embedding=own.embedding[part])
            if own.unconditional is not None:
                own = replace(own, unconditional=own.unconditional[part])
            yield x[part], own

    def posterior_mean(self, x: Tensor, level: Level, condition: Any) -> Tensor:
        parts = [self._noise_prediction(p, level.t, c) for p, c in self._chunks(x, condition)]
        output = torch.cat(parts)
        if self.scheduler.config.prediction_type == "v_prediction":
            return level.alpha * x - level.sigma * output
        return (x - level.sigma * output) / level.alpha

    def unconditional(self, x: Tensor, level: Level, condition: Any) -> Tensor | None:
        if not condition.guided:
            return None
        empty = replace(condition, embedding=condition.empty, guidance=1.0, unconditional=None)
        parts = [self._noise_prediction(p, level.t, c) for p, c in self._chunks(x, empty)]
        return torch.cat(parts)

    def decode(self, x0: Tensor) -> Tensor:
        chunk = max(1, self.max_batch)
        scaled = x0 / self.vae.config.scaling_factor
        images = torch.cat([self.vae.decode(part).sample for part in scaled.split(chunk)])
        return (images / 2 + 0.5).clamp(0, 1)

    def solver(self, name: str, steps: int) -> SchedulerSolver:
        one_of("solver", name, list(self.solvers))
        settings = self.solvers[name]
        scheduler = make_scheduler(self.scheduler, settings)
        return SchedulerSolver(scheduler, steps, settings.get("eta", 0.0), self.device)

    def level(self, fraction: float) -> Level:
        """The level at t = round(fraction · T), at most T − 1; clean at 0."""
        horizon = len(self.alphas_bar)
        t = min(round(fraction * horizon), horizon - 1)
        if t <= 0:
            return Level(0.0, 1.0, 0.0, 0.0)
        return vp_level(t, self.alphas_bar[t], horizon)
