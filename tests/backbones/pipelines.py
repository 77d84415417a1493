"""Toy-sized pipelines of the real classes, and their own outputs on the ledger's noise."""

from __future__ import annotations

from itertools import count
from typing import Any

import torch

from bench.backbones import load_backbone
from bench.backbones.solver import given_noise, make_scheduler
from bench.config.compose import cell_settings
from bench.noise import Ledger
from methods.method import Method
from methods.problem import Problem
from methods.sample import sample

PROMPT = "a photo of a red car"
FAMILIES = ("sd15", "sd21", "sdxl", "flux_dev", "flux_schnell")


def settings(name: str, **changes: Any) -> dict[str, Any]:
    """Settings of a backbone of random weights at toy size."""
    own = cell_settings([f"backbone={name}", "weights=tiny"], [])["backbone"]
    return {**own, "pixels": 16, "tokens": 16, **changes}


def tiny(name: str, solvers: dict[str, dict[str, Any]] | None = None) -> Any:
    own = settings(name)
    own["solvers"] = {**own["solvers"], **(solvers or {})}
    return load_backbone(own, "cpu", list(own["solvers"]))[0]


def problem(backbone: Any, solver: str, steps: int, images: int = 2) -> Problem:
    backbone = backbone.under(solver)
    condition = backbone.encode(PROMPT)
    return Problem(backbone, None, Ledger(0, PROMPT), PROMPT, condition, images, solver, steps)  # type: ignore[arg-type]


def ours(given: Problem) -> torch.Tensor:
    return sample(given, Method("vanilla")).images


def theirs(given: Problem, pipeline: Any = None, **options: Any) -> torch.Tensor:
    """The pipeline's own images for the same x_T, its scheduler fed with the same noise.

    ``pipeline``: another class with the same parts. ``options`` of the call.
    """
    backbone: Any = given.backbone
    own = backbone.solvers[given.solver]
    parts = {**backbone.pipeline.components, **_unused(backbone.pipeline)}
    pipe = (pipeline or type(backbone.pipeline))(**parts)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(backbone.scheduler, own)
    step, index = pipe.scheduler.step, count()
    extra = {"eta": own["eta"]} if own.get("eta") else {}

    def noisy(output: Any, t: Any, x: Any, **kwargs: Any) -> Any:
        k = next(index)
        shape = backbone.latent_shape
        drawn = torch.stack([given.noise(shape, "solver", i, 0, k) for i in range(given.images)])
        if x.ndim == 3:  # the transformer's patches
            drawn = pipe._pack_latents(drawn, len(drawn), *shape)
        with given_noise(pipe.scheduler, drawn):
            return step(output, t, x, **{**kwargs, **extra})

    pipe.scheduler.step = noisy
    latents = given.initial(given.images)
    arguments: dict[str, Any] = {"num_inference_steps": given.steps, **options}
    if own.get("timesteps"):
        arguments = {"timesteps": own["timesteps"]}
    if hasattr(pipe, "transformer"):
        channels, side = backbone.latent_shape[0], backbone.latent_shape[-1]
        latents = pipe._pack_latents(latents, given.images, channels, side, side)
        pixels = {"height": backbone.pixels, "width": backbone.pixels}
        arguments |= {**pixels, "max_sequence_length": backbone.tokens}
    return pipe(
        given.prompt,
        guidance_scale=1.0 if backbone.guidance is None else backbone.guidance,
        num_images_per_prompt=given.images,
        latents=latents,
        output_type="pt",
        **arguments,
    ).images


def _unused(pipeline: Any) -> dict[str, Any]:
    if "requires_safety_checker" not in pipeline.config:
        return {}
    return {"requires_safety_checker": False}
