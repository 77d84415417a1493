"""Denoisers distilled for few steps: LCM-LoRA, DMD2, Lightning, Hyper, beside their teacher."""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch

from bench.backbones.kept import OneAtATime
from bench.backbones.loading import RANDOM, as_asked, denoiser_of, load_pipeline, part_of
from bench.device import check_room
from bench.errors import BenchError, reason_of
from bench.miniature.pipeline import REMEDY, STUDENTS
from bench.weights.files import check_file, digest, fill, read_tensors
from bench.weights.source import Source, locate, mark_of, matching


@OneAtATime
def load_students(
    pipeline_json: str, device: torch.device, settings_json: str, random: bool
) -> tuple[dict[str, Any], list[str]]:
    """Students by name for the pipeline of these settings, and their digests."""
    pipeline, _ = load_pipeline(pipeline_json, device)
    students, marks = {}, []
    for name, own in json.loads(settings_json).items():
        students[name], mark = load_student(pipeline, name, own, random, json.loads(pipeline_json))
        marks.append(f"{name}: {mark}")
    return students, marks


def load_student(
    pipeline: Any,
    name: str,
    settings: Mapping[str, Any],
    random: bool,
    asked: Mapping[str, Any],
) -> tuple[Any, str]:
    """The student ``name`` of a pipeline's denoiser, and its weights' digest.

    ``settings``: ``weights`` (pretrained, a file, or None: the packaged one), ``source``, ``lora``
    (whether the file holds a low-rank update to be fused at ``scale``, or a whole denoiser).
    ``asked``: the backbone's, for format, attention and speed. Beside a teacher of random weights
    the student is the teacher: it has the same architecture, so it costs the same.
    """
    teacher, weights = denoiser_of(pipeline), settings["weights"]
    if random or weights in RANDOM:
        return getattr(pipeline, part_of(pipeline)), "as the teacher"
    what = f"the distilled denoiser {name!r}"
    if weights == "pretrained":
        source, words = Source.of(settings["source"]), f"{asked['name']} --students {name}"
        path = matching(source, locate(source, what, words))[0]
        remedy, mark = source.remedy(words), f"{mark_of(source, path.parent)}/{path.name}"
    else:
        if weights is not None:
            path, remedy = Path(weights).expanduser(), f"name another file for {what}"
        elif asked["weights"] is None:
            path, remedy = STUDENTS[asked["kind"]], REMEDY
        else:
            raise BenchError(
                f"{what} in the package belongs to the packaged pipeline, not to "
                f"{asked['weights']}: set backbone.students.{name}.weights to a file of its own"
            )
        check_file(path, remedy)
        mark = digest([path])
    check_room(what, sum(weight.nbytes for weight in teacher.parameters()), teacher.device)
    if settings.get("lora"):
        student = _fused(pipeline, teacher, path, settings["scale"])
    else:
        student = type(teacher).from_config(teacher.config).to(teacher.device, teacher.dtype)
        fill(student, read_tensors(path, remedy), str(path))
    return as_asked(student, asked), mark


def _fused(pipeline: Any, teacher: Any, path: Path, scale: float) -> Any:
    """A copy of ``teacher`` with the low-rank update of a file added at ``scale``; no adapter stays
    behind."""
    copy, before = deepcopy(teacher), teacher.state_dict()
    components = {k: v for k, v in pipeline.components.items() if v is not None}
    components[part_of(pipeline)] = copy
    if "requires_safety_checker" in pipeline.config:
        components |= {"safety_checker": None, "feature_extractor": None}
        components |= {"requires_safety_checker": False}
    other = type(pipeline)(**components)
    try:
        other.load_lora_weights(path.parent, weight_name=path.name, local_files_only=True)
        other.fuse_lora(lora_scale=scale)
        other.unload_lora_weights()
    except (ValueError, RuntimeError, KeyError, OSError) as error:
        reason = reason_of(error)
        raise BenchError(f"{path} is no low-rank update of this denoiser: {reason}") from None
    if all(torch.equal(value, before[key]) for key, value in copy.state_dict().items()):
        raise BenchError(f"{path} changes no weight of this denoiser: it is another model's update")
    return copy
