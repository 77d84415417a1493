"""Pipelines of random weights: true in architecture and cost, meaningless in what they draw."""

from __future__ import annotations

from typing import Any

import torch

from bench.backbones.architectures import Architecture

SEED = 0


def component(kind: str, config: dict[str, Any]) -> Any:
    """One module of diffusers or transformers from its class name and config."""
    import diffusers
    import transformers

    if hasattr(diffusers, kind):
        return getattr(diffusers, kind)(**config)
    cls = getattr(transformers, kind)
    return cls(cls.config_class(**config))


def build(architecture: Architecture, dtype: torch.dtype, device: torch.device) -> Any:
    """The whole pipeline, made on ``device`` from a fixed seed; torch's own state is left alone."""
    import diffusers

    parts: dict[str, Any] = {}
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices), torch.device(device):
        torch.manual_seed(SEED)
        for name, (kind, config) in architecture.parts.items():
            default = torch.get_default_dtype()
            torch.set_default_dtype(dtype)
            try:
                parts[name] = component(kind, config)
            finally:
                torch.set_default_dtype(default)
    # Made apart from the device: schedulers' tables and tokenizers live on the host.
    name, config = architecture.scheduler
    parts["scheduler"] = getattr(diffusers, name).from_config(config)
    parts |= tokenizers(architecture)
    cls = getattr(diffusers, architecture.pipeline)
    if architecture.pipeline == "StableDiffusionPipeline":
        parts |= {"safety_checker": None, "feature_extractor": None}
        parts |= {"requires_safety_checker": False}
    pipeline = cls(**parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def tokenizers(architecture: Architecture) -> dict[str, Any]:
    """A tokenizer of the right class and length for each text encoder.

    The vocabulary is that of GenEval's captions, which is smaller than the encoder's.
    """
    from bench.miniature.text import build_tokenizer

    made: dict[str, Any] = {}
    for name, (kind, config) in architecture.parts.items():
        if name.startswith("text_encoder"):
            key = name.replace("text_encoder", "tokenizer")
            made[key] = (
                _t5()
                if kind.startswith("T5")
                else build_tokenizer(config["max_position_embeddings"])
            )
    return made


def _t5() -> Any:
    from transformers import T5TokenizerFast

    from bench.miniature.text import caption_words

    words = [(f"▁{word}", -1.0) for word in caption_words()]
    letters = [(letter, -5.0) for letter in "▁abcdefghijklmnopqrstuvwxyz0123456789.,'-"]
    marks = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return T5TokenizerFast(vocab=[*marks, *words, *letters], extra_ids=0, model_max_length=512)
