"""A diffusers pipeline as a Backbone: what all families share, and Stable Diffusion.

Latents and the arithmetic of steering are float32; the denoiser, the text encoders and the decoder
run in the type that they were loaded in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from bench.backbones.levels import (
    flow_level,
    mean_of,
    model_input,
    parameterization,
    vp_level,
)
from bench.backbones.perturbed import perturbed
from bench.backbones.solver import SchedulerSolver, make_scheduler
from bench.backbones.text import Text, TextCondition, joined
from bench.backbones.vp_sde import VpSde
from methods.interfaces import CLEAN, Level, Solver
from methods.path import flow_time
from methods.settings import one_of


@dataclass(frozen=True)
class Limits:
    """The most samples in one call of the denoiser, and of the decoder."""

    denoiser: int = 64
    decoder: int = 64


@dataclass
class LatentDiffusion:
    """Stable Diffusion's family: one UNet, one KL autoencoder, one text encoder.

    ``solvers`` names diffusers schedulers with their options, ``guidance`` is the default guidance
    weight. ``students`` are denoisers distilled for the few steps of some solvers, by name.
    ``pixels``: the side of an image; None is what the model was trained at.
    """

    pipeline: Any
    solvers: Mapping[str, Mapping[str, Any]]
    guidance: float
    limits: Limits = field(default_factory=Limits)
    students: Mapping[str, Any] = field(default_factory=dict)
    student: str | None = None
    pixels: int | None = None
    _solvers: dict[tuple[str, int], SchedulerSolver] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for part in self.pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval().requires_grad_(False)
        self.vae, self.scheduler = self.pipeline.vae, self.pipeline.scheduler
        self.teacher = self._denoiser()
        self.denoiser = self.teacher if self.student is None else self.students[self.student]
        self.device: torch.device = self.vae.device
        # Asked once: diffusers walks the whole model to say it.
        self.dtype, self.decoder_dtype = self.teacher.dtype, self.vae.dtype
        self.kind = parameterization(self.scheduler)
        self.latent_shape: tuple[int, ...] = self._shape()
        self.usual = self.guidance  # the weight of solvers that bring none

    # What the families differ in.

    def _denoiser(self) -> Any:
        return self.pipeline.unet

    def _shape(self) -> tuple[int, ...]:
        side = self.teacher.config.sample_size
        if self.pixels is not None:
            side = self.pixels // self.pipeline.vae_scale_factor
        return (self.teacher.config.in_channels, side, side)

    def _embed(self, prompt: str) -> tuple[Text, Text | None]:
        """The prompt's text and the empty prompt's."""
        prompted, empty = self.pipeline.encode_prompt(prompt, self.device, 1, True)
        return Text(prompted), Text(empty)

    def _call(self, x: Tensor, t: Tensor, text: Text, guidance: float) -> Tensor:
        """The denoiser's output at model inputs x (B, …) and times t (B,)."""
        return self.denoiser(x, t, text.sequence).sample

    def _schedule(self, steps: int) -> dict[str, Any]:
        """Further arguments of a scheduler's ``set_timesteps``."""
        return {}

    # What they share.

    def under(self, solver: str) -> LatentDiffusion:
        """With the denoiser and guidance weight that the solver brings along, if any."""
        one_of("solver", solver, list(self.solvers))
        settings = self.solvers[solver]
        student, weight = settings.get("denoiser"), settings.get("guidance")
        weight = self.usual if weight is None else weight
        if student == self.student and weight == self.guidance:
            return self
        made = copy(self)
        made.student = student
        made.denoiser = self.teacher if student is None else self.students[student]
        made.guidance = weight
        return made

    def encode(
        self, prompt: str, guidance: float | None = None, known: Any = None
    ) -> TextCondition:
        weight = self.guidance if guidance is None else guidance
        if known is not None:
            return TextCondition(known.text, known.empty, weight)
        with torch.no_grad():
            return TextCondition(*self._embed(prompt), weight)

    def _called(self, x: Tensor, level: Level, texts: Sequence[Text], guidance: float) -> Tensor:
        """The model outputs at x (B, …) with each text, (B · texts, …) in one call, in x's type."""
        z = model_input(x, level, self.kind)
        z = torch.cat([z] * len(texts)) if len(texts) > 1 else z
        # Filled on the device: a number copied to it would hold up the host.
        t = torch.full((len(z),), level.t, device=x.device)
        text = joined([text.expand(len(x)) for text in texts])
        return self._call(z.to(self.dtype), t, text.to(self.dtype), guidance).to(x.dtype)

    def _output(self, x: Tensor, level: Level, condition: TextCondition) -> Tensor:
        """The model output after classifier-free guidance, in x's type."""
        text, empty, weight = condition.text, condition.empty, condition.guidance
        if not condition.guided or empty is None:
            return self._called(x, level, [text], weight)
        if condition.unconditional is not None:
            known, prompted = condition.unconditional, self._called(x, level, [text], weight)
        else:
            known, prompted = self._called(x, level, [empty, text], weight).chunk(2)
        return known + weight * (prompted - known)

    def _combined(self, x: Tensor, level: Level, condition: TextCondition) -> Tensor:
        """The posterior mean that the condition's guider makes."""
        text, empty, guider = condition.text, condition.empty, condition.guider
        assert empty is not None and guider is not None
        texts = [empty, text, text] if guider.perturbed else [empty, text]
        with perturbed(self.denoiser) if guider.perturbed else nullcontext():
            outputs = self._called(x, level, texts, condition.guidance).chunk(len(texts))
        means = [mean_of(output, x, level, self.kind) for output in outputs]
        worse = means[2] if guider.perturbed else None
        return guider(x, level, condition.guidance, means[1], means[0], worse)

    def _chunks(
        self, x: Tensor, condition: TextCondition
    ) -> Iterator[tuple[Tensor, TextCondition]]:
        size = max(1, self.limits.denoiser // condition.evaluations)
        for start in range(0, len(x), size):
            part = slice(start, start + size)
            yield x[part], condition.rows(part)

    def posterior_mean(self, x: Tensor, level: Level, condition: Any) -> Tensor:
        chunks = self._chunks(x, condition)
        if condition.guider is not None:
            return torch.cat([self._combined(p, level, c) for p, c in chunks])
        parts = [self._output(p, level, c) for p, c in chunks]
        return mean_of(torch.cat(parts), x, level, self.kind)

    def unconditional(self, x: Tensor, level: Level, condition: Any) -> Tensor | None:
        if not condition.guided:
            return None
        parts = [self._output(p, level, c) for p, c in self._chunks(x, condition.emptied())]
        return torch.cat(parts)

    def decode(self, x0: Tensor) -> Tensor:
        config = self.vae.config
        scaled = x0 / config.scaling_factor + (getattr(config, "shift_factor", None) or 0.0)
        parts = scaled.to(self.decoder_dtype).split(self.limits.decoder)
        images = (self.vae.decode(part).sample.float() for part in parts)
        return torch.cat([(image / 2 + 0.5).clamp(0, 1) for image in images])

    def solver(self, name: str, steps: int) -> Solver:
        one_of("solver", name, list(self.solvers))
        if norm := self.solvers[name].get("sde"):
            return VpSde(steps, norm, lambda *level: self._level_of(flow_time(*level), *level))
        if (name, steps) not in self._solvers:  # diffusers takes ten times as long as a copy
            settings = self.solvers[name]
            scheduler = make_scheduler(self.scheduler, settings)
            made = SchedulerSolver(scheduler, steps, settings, self._schedule(steps))
            self._solvers[name, steps] = made
        return self._solvers[name, steps].fresh()

    def _level_of(self, fraction: float, alpha: float, sigma: float) -> Level:
        """A level off the path of flow matching, at the time of it at which α/σ is the same."""
        horizon = self.scheduler.config.num_train_timesteps
        return Level(fraction * horizon, alpha, sigma, fraction)

    def level(self, fraction: float) -> Level:
        """The level at t = round(fraction · T), at most T − 1; clean at 0. Flow matching has one
        at every fraction."""
        if self.kind == "flow_prediction":
            return flow_level(fraction, self.scheduler.config.num_train_timesteps)
        bars = self.scheduler.alphas_cumprod
        t = min(round(fraction * len(bars)), len(bars) - 1)
        return CLEAN if t <= 0 else vp_level(t, float(bars[t]), len(bars))
