"""Loading the miniature: a Stable Diffusion pipeline folder inside the package."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bench.errors import BenchError

WEIGHTS = Path(__file__).parent / "weights"
PIPELINE = WEIGHTS / "pipeline"
PARTS = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/model.safetensors",
    "tokenizer/tokenizer.json",
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
)
REMEDY = "reinstall the package, or train anew: `make train-miniature` (hours on a CPU)"


def check_files(folder: Path) -> None:
    """Raise BenchError naming the first file of the pipeline that is missing or unreadable."""
    from safetensors import SafetensorError, safe_open

    for part in PARTS:
        path = folder / part
        if not path.is_file():
            raise BenchError(f"the file {path} is missing: {REMEDY}")
        if path.suffix == ".safetensors":
            try:
                with safe_open(path, framework="pt") as file:
                    file.keys()
            except (SafetensorError, OSError) as error:
                raise BenchError(
                    f"the miniature's file {path} is damaged ({error}): {REMEDY}"
                ) from None


@cache
def digest(folder: Path) -> str:
    """sha256 over the pipeline's files, in a fixed order."""
    total = hashlib.sha256()
    for part in PARTS:
        total.update((folder / part).read_bytes())
    return total.hexdigest()


@cache
def load_pipeline(folder: Path) -> Any:
    """diffusers' StableDiffusionPipeline in float32 from local files alone, loaded once."""
    import torch
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # it warns of image processors that are not used
    transformers_logging.disable_progress_bar()
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging as diffusers_logging

    diffusers_logging.disable_progress_bar()
    return StableDiffusionPipeline.from_pretrained(
        folder,
        dtype=torch.float32,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        local_files_only=True,
    )


def load(settings: Mapping[str, Any]) -> tuple[Any, str]:
    """The miniature as a backbone, and its weights' digest.

    ``settings``: solvers, guidance, max_batch; ``weights``, a pipeline folder, null for the
    packaged one.
    """
    from bench.backbones.latent import LatentDiffusion

    folder = Path(settings["weights"]) if settings.get("weights") else PIPELINE
    check_files(folder)
    pipeline = load_pipeline(folder)
    backbone = LatentDiffusion(
        pipeline, settings["solvers"], settings["guidance"], settings["max_batch"]
    )
    return backbone, digest(folder)
