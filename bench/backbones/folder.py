"""A pipeline's folder as save_pretrained or the hub lays it out: checked and loaded, or refused."""

from __future__ import annotations

import json
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from bench.errors import BenchError, reason_of
from bench.weights.files import check_file, missing_shards
from bench.weights.modules import quieted, whole_module

INDEX = "model_index.json"
TEXTS = (".json", ".txt")
WEIGHTS = ("*.safetensors", "*.bin")
UNUSED = ("safety_checker", "feature_extractor", "image_encoder")


def from_folder(folder: Path, kind: str, dtype: torch.dtype, **others: Any) -> Any:
    """A pipeline of the diffusers class ``kind`` from local files alone, no weight missing.

    ``others``: components that come from elsewhere.
    """
    cls = getattr(quieted(), kind)
    if kind == "StableDiffusionPipeline":
        unused = {"safety_checker": None, "feature_extractor": None}
        others |= unused | {"requires_safety_checker": False}
    try:
        for name, (library, class_name) in modules_of(folder).items():
            if name not in others:
                module, part = getattr(import_module(library), class_name), folder / name
                others[name] = whole_module(module, part, dtype=dtype, variant=variant_of(part))
        pipeline = cls.from_pretrained(folder, dtype=dtype, local_files_only=True, **others)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        if isinstance(error, BenchError):
            raise
        reason = reason_of(error)
        raise BenchError(f"{folder} could not be loaded as a {kind}: {reason}") from None
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def modules_of(folder: Path) -> dict[str, tuple[str, str]]:
    """Components with weights that a pipeline's index names: name -> (library, class)."""
    content = json.loads((folder / INDEX).read_text())
    return {
        name: (entry[0], entry[1])
        for name, entry in sorted(content.items())
        if isinstance(entry, list)
        and None not in entry
        and name not in UNUSED
        and not any(word in entry[1] for word in ("Tokenizer", "Scheduler", "Processor"))
    }


def variant_of(folder: Path) -> str | None:
    """The variant of a component's weight files, such as fp16; None where there are plain ones."""
    names = [path.name for path in weight_files(folder)]
    plain = [
        name for name in names if re.fullmatch(r"[^.]+(-\d+-of-\d+)?\.(safetensors|bin)", name)
    ]
    variants = {name.split(".")[1].split("-")[0] for name in names if name not in plain}
    return None if plain or len(variants) != 1 else variants.pop()


def weight_files(folder: Path) -> list[Path]:
    """The files of a component's weights: safetensors, where there are any."""
    for pattern in ("*model*.safetensors", "*pytorch_model*.bin"):
        if held := sorted(folder.glob(pattern)):
            return held
    return []


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
    modules = modules_of(folder)
    for name, entry in sorted(content.items()):
        if isinstance(entry, list) and None not in entry and name not in UNUSED:
            files += _component_files(folder / name, name in modules, remedy)
    return files


def _component_files(folder: Path, module: bool, remedy: str) -> list[Path]:
    """A component's configs and weights, each whole."""
    if not folder.is_dir():
        raise BenchError(f"{folder} is missing or empty: {remedy}")
    weights = weight_files(folder)
    if module and not weights:
        raise BenchError(f"{folder} holds no weights ({', '.join(WEIGHTS)}): {remedy}")
    texts = [path for path in sorted(folder.glob("*")) if path.suffix in TEXTS]
    if missing := missing_shards(texts):
        raise BenchError(f"the file {missing[0]} is missing: {remedy}")
    for path in weights:
        check_file(path, remedy)
    return [*texts, *weights]
