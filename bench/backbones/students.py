"""Denoisers distilled for few steps: LCM-LoRA, DMD2, Lightning, Hyper, beside their teacher."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import torch

from bench.backbones.loading import RANDOM, load_pipeline
from bench.errors import BenchError
from bench.weights.files import check_file, digest, fill, read_tensors
from bench.weights.source import Source, locate, mark_of, matching


def load_students(
    pipeline_json: str, device: torch.device, settings: Mapping[str, Any], random: bool
) -> tuple[dict[str, Any], list[str]]:
    """Students by name for the pipeline of these settings, and their digests."""
    students, marks = {}, []
    for name, own in settings.items():
        text = json.dumps(dict(own), sort_keys=True)
        students[name], mark = _load_student(pipeline_json, device, name, text, random)
        marks.append(f"{name}: {mark}")
    return students, marks


@cache
def _load_student(
    pipeline_json: str, device: torch.device, name: str, settings_json: str, random: bool
) -> tuple[Any, str]:
    pipeline, _ = load_pipeline(pipeline_json, device)
    return load_student(pipeline, name, json.loads(settings_json), random)


def load_student(
    pipeline: Any, name: str, settings: Mapping[str, Any], random: bool
) -> tuple[Any, str]:
    """The student ``name`` of a pipeline's denoiser, and its weights' digest.

    ``settings``: ``weights`` (pretrained, or a file), ``source``, ``lora`` (whether the file holds
    a low-rank update to be fused at ``scale``, or a whole denoiser). Beside a teacher of random
    weights the student is the teacher: it has the same architecture, so it costs the same.
    """
    part = "unet" if hasattr(pipeline, "unet") else "transformer"
    teacher = getattr(pipeline, part)
    teacher = getattr(teacher, "_orig_mod", teacher)  # torch.compile's wrapper
    weights = settings["weights"]
    if random or weights in RANDOM:
        return getattr(pipeline, part), "as the teacher"
    what = f"the distilled denoiser {name!r}"
    if weights == "pretrained":
        source = Source.of(settings["source"])
        path = matching(source, locate(source, what))[0]
        remedy, mark = source.remedy(), f"{mark_of(source, path.parent)}/{path.name}"
    else:
        path, remedy = Path(weights).expanduser(), f"name another file for {what}"
        check_file(path, remedy)
        mark = digest([path])
    if settings.get("lora"):
        student = _fused(pipeline, part, deepcopy(teacher), path, settings["scale"])
    else:
        student = type(teacher).from_config(teacher.config).to(teacher.device, teacher.dtype)
        fill(student, read_tensors(path, remedy), str(path))
    compiled = getattr(pipeline, part) is not teacher
    return (torch.compile(student) if compiled else student), mark


def _fused(pipeline: Any, part: str, copy: Any, path: Path, scale: float) -> Any:
    """``copy`` with the low-rank update of a file added at ``scale``; no adapter stays behind."""
    components = {k: v for k, v in pipeline.components.items() if v is not None} | {part: copy}
    if "requires_safety_checker" in pipeline.config:
        components |= {"safety_checker": None, "feature_extractor": None}
        components |= {"requires_safety_checker": False}
    other = type(pipeline)(**components)
    try:
        other.load_lora_weights(path.parent, weight_name=path.name, local_files_only=True)
        other.fuse_lora(lora_scale=scale)
        other.unload_lora_weights()
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BenchError(f"{path} is no low-rank update of this denoiser: {reason}") from None
    return copy
