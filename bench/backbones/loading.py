"""From a backbone's settings to a diffusers pipeline on its device: hub, folder, or random."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from bench.backbones.architectures import ARCHITECTURES, Architecture
from bench.device import check_room, resolve_dtype
from bench.errors import BenchError
from bench.miniature.pipeline import PIPELINE, REMEDY
from bench.weights.files import check_file, digest
from bench.weights.source import Source, locate, mark_of

RANDOM = ("random", "tiny")
REMEDY_PATH = "set backbone.weights to a whole pipeline folder"
PIPELINES = {
    "miniature": "StableDiffusionPipeline",
    "sd": "StableDiffusionPipeline",
    "sdxl": "StableDiffusionXLPipeline",
    "flux": "FluxPipeline",
}
INDEX = "model_index.json"
WEIGHTS = ("*.safetensors", "*.bin")


@cache
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
        folder, remedy = PIPELINE, REMEDY
        if weights is not None:
            folder, remedy = Path(weights).expanduser(), f"{REMEDY_PATH} of {name}"
        files = check_pipeline_folder(folder, PIPELINES[settings["kind"]], remedy)
        check_room(name, sum(f.stat().st_size for f in files), device)
        pipeline, mark = from_folder(folder, PIPELINES[settings["kind"]], dtype), digest(files)
    return place(pipeline, settings, device), mark


def weight_bytes(architecture: Architecture, dtype: torch.dtype, tiny: bool = False) -> int:
    """Bytes of the weights at true size; nothing worth counting at toy size."""
    size = torch.empty((), dtype=dtype).element_size()
    return 0 if tiny else sum(architecture.counts.values()) * size


def place(pipeline: Any, settings: Mapping[str, Any], device: torch.device) -> Any:
    """Move to the device, in the memory format, types and attention that the settings ask for."""
    from diffusers.models.attention_processor import AttnProcessor

    pipeline.to(device)
    vae_dtype = settings["vae_dtype"]
    if vae_dtype != "auto":
        pipeline.vae.to(resolve_dtype("backbone.vae_dtype", vae_dtype, device, vae_dtype))
    pipeline.vae.to(memory_format=torch.channels_last)  # a quarter faster on CPUs
    name = "unet" if hasattr(pipeline, "unet") else "transformer"
    denoiser = getattr(pipeline, name)
    if settings["channels_last"] and name == "unet":
        denoiser.to(memory_format=torch.channels_last)
    if settings["attention"] == "eager":
        denoiser.set_attn_processor(AttnProcessor())
    if settings["compile"]:
        setattr(pipeline, name, torch.compile(denoiser))
    return pipeline


def quieted() -> Any:
    """diffusers, without the notices of it and transformers about what is not used here."""
    import diffusers
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
    return diffusers


def from_folder(folder: Path, kind: str, dtype: torch.dtype, **others: Any) -> Any:
    """A pipeline of the diffusers class ``kind`` from local files alone."""
    cls = getattr(quieted(), kind)
    if kind == "StableDiffusionPipeline":
        unused = {"safety_checker": None, "feature_extractor": None}
        others |= unused | {"requires_safety_checker": False}
    try:
        pipeline = cls.from_pretrained(folder, dtype=dtype, local_files_only=True, **others)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BenchError(f"{folder} could not be loaded as a {kind}: {reason}") from None
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _from_hub(
    settings: Mapping[str, Any], architecture: Architecture, dtype: torch.dtype
) -> tuple[Any, str]:
    """The pinned pipeline of the hub's cache, with parts that come from elsewhere."""
    name, source = settings["name"], Source.of(settings["source"])
    folder = locate(source, name)
    others: dict[str, Any] = {}
    if settings["source"].get("variant"):
        others["variant"] = settings["source"]["variant"]
    marks = [mark_of(source, folder)]
    for part, where in settings["parts"].items():
        own = Source.of(where)
        cls = getattr(quieted(), architecture.parts[part][0])
        snapshot = locate(own, f"{name}'s {part}")
        inside = snapshot / where["subfolder"]
        others[part] = cls.from_pretrained(inside, dtype=dtype, local_files_only=True)
        marks.append(mark_of(own, snapshot))
    return from_folder(folder, architecture.pipeline, dtype, **others), "+".join(marks)


def check_pipeline_folder(folder: Path, kind: str, remedy: str) -> list[Path]:
    """The weight files and configs of a pipeline folder, each whole.

    Raises BenchError where the folder is none, or of another class than ``kind``, or lacks the
    weights of a component that its index names.
    """
    index = folder / INDEX
    if not index.is_file():
        raise BenchError(
            f"{folder} is no folder of a diffusers pipeline ({INDEX} is missing): {remedy}"
        )
    try:
        content = json.loads(index.read_text())
    except ValueError:
        raise BenchError(f"{index} is damaged: {remedy}") from None
    found = content.get("_class_name")
    if found != kind:
        raise BenchError(
            f"{folder} holds a {found}, and this backbone is a {kind}: choose the backbone that "
            f"fits it, or {remedy}"
        )
    files = [index]
    for name, entry in sorted(content.items()):
        if name.startswith("_") or not isinstance(entry, list) or None in entry:
            continue
        if name in ("safety_checker", "feature_extractor", "image_encoder"):
            continue
        files += _component_files(folder / name, entry[1], remedy)
    return files


def _component_files(folder: Path, kind: str, remedy: str) -> list[Path]:
    held = sorted(p for p in folder.glob("*") if p.is_file())
    if not held:
        raise BenchError(f"{folder} is missing or empty: {remedy}")
    module = not any(word in kind for word in ("Tokenizer", "Scheduler"))
    weights = [p for p in held if any(p.match(pattern) for pattern in WEIGHTS)]
    if module and not weights:
        raise BenchError(f"{folder} holds no weights ({', '.join(WEIGHTS)}): {remedy}")
    for path in held:
        check_file(path, remedy)
    return held
