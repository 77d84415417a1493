"""From a backbone's settings to a diffusers pipeline on its device: hub, folder, or random."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from bench.backbones.architectures import ARCHITECTURES, Architecture
from bench.backbones.compiled import compiled
from bench.backbones.folder import TEXTS, check_pipeline_folder, from_folder
from bench.backbones.kept import OneAtATime
from bench.device import check_room, resolve_dtype
from bench.miniature.pipeline import PACKAGED, REMEDY
from bench.weights.files import digest
from bench.weights.modules import quieted
from bench.weights.source import Source, locate, mark_of

RANDOM = ("random", "tiny")
REMEDY_PATH = "set backbone.weights to a whole pipeline folder"
PIPELINES = {
    **dict.fromkeys(PACKAGED, "StableDiffusionPipeline"),
    "sd": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "flux": "FluxPipeline",
}


@OneAtATime
def load_pipeline(settings_json: str, device: torch.device) -> tuple[Any, str]:
    """The pipeline of settings written as JSON, and its weights' digest; once per process."""
    settings = json.loads(settings_json)
    name, weights = settings["name"], settings["weights"]
    accelerated = settings.get("accelerated", "float32")
    dtype = resolve_dtype("backbone.dtype", settings["dtype"], device, accelerated)
    if weights in RANDOM:
        from bench.backbones.random_weights import SEED, build

        architecture = ARCHITECTURES[settings["architecture"]](weights == "tiny")
        check_room(name, weight_bytes(architecture, dtype, weights == "tiny"), device)
        pipeline, mark = build(architecture, dtype, device), f"{weights}-{SEED}"
    elif weights == "pretrained":
        architecture = ARCHITECTURES[settings["architecture"]](False)
        check_room(name, weight_bytes(architecture, dtype), device)
        pipeline, mark = _from_hub(settings, architecture, dtype)
    else:
        if weights is None:
            folder, remedy = PACKAGED[settings["kind"]], REMEDY
        else:
            folder, remedy = Path(weights).expanduser(), f"{REMEDY_PATH} of {name}"
        files = check_pipeline_folder(folder, PIPELINES[settings["kind"]], remedy)
        check_room(name, sum(f.stat().st_size for f in files if f.suffix not in TEXTS), device)
        pipeline, mark = from_folder(folder, PIPELINES[settings["kind"]], dtype), digest(files)
    pipeline = place(pipeline, settings, device)
    kinds = {
        str(module.dtype).removeprefix("torch.") for module in (denoiser_of(pipeline), pipeline.vae)
    }
    return pipeline, f"{mark} in {' and '.join(sorted(kinds))}"


def weight_bytes(architecture: Architecture, dtype: torch.dtype, tiny: bool = False) -> int:
    """Bytes of the weights at true size; nothing worth counting at toy size."""
    size = torch.empty((), dtype=dtype).element_size()
    return 0 if tiny else sum(architecture.counts.values()) * size


def part_of(pipeline: Any) -> str:
    """What the pipeline calls its denoiser."""
    return "unet" if hasattr(pipeline, "unet") else "transformer"


def denoiser_of(pipeline: Any) -> Any:
    """The denoiser itself, out of torch.compile's wrapper."""
    module = getattr(pipeline, part_of(pipeline))
    return getattr(module, "_orig_mod", module)


def as_asked(denoiser: Any, settings: Mapping[str, Any]) -> Any:
    """A denoiser, teacher or student, frozen and in the format, attention and speed asked for."""
    from diffusers.models.attention_processor import AttnProcessor

    denoiser.eval().requires_grad_(False)
    if settings["channels_last"]:
        denoiser.to(memory_format=torch.channels_last)
    if settings["attention"] == "eager":
        denoiser.set_attn_processor(AttnProcessor())
    return compiled(denoiser) if settings["compile"] else denoiser


def place(pipeline: Any, settings: Mapping[str, Any], device: torch.device) -> Any:
    """Move to the device, in the memory format, types and attention that the settings ask for."""
    pipeline.to(device)
    vae_dtype = settings["vae_dtype"]
    if vae_dtype != "auto":
        pipeline.vae.to(resolve_dtype("backbone.vae_dtype", vae_dtype, device, vae_dtype))
    if device.type == "cpu":  # a quarter faster there; elsewhere its layout was never measured
        pipeline.vae.to(memory_format=torch.channels_last)
    part = part_of(pipeline)
    setattr(pipeline, part, as_asked(getattr(pipeline, part), settings))
    return pipeline


def _from_hub(
    settings: Mapping[str, Any], architecture: Architecture, dtype: torch.dtype
) -> tuple[Any, str]:
    """The pinned pipeline of the hub's cache, with parts that come from elsewhere."""
    name, source = settings["name"], Source.of(settings["source"])
    folder = locate(source, name, name)
    others: dict[str, Any] = {}
    marks = [mark_of(source, folder)]
    for part, where in settings["parts"].items():
        own = Source.of(where)
        cls = getattr(quieted(), architecture.parts[part][0])
        snapshot = locate(own, f"{name}'s {part}", name)
        inside = snapshot / where["subfolder"]
        others[part] = cls.from_pretrained(inside, dtype=dtype, local_files_only=True)
        marks.append(mark_of(own, snapshot))
    return from_folder(folder, architecture.pipeline, dtype, **others), "+".join(marks)
