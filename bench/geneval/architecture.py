"""The detector's network, with pretrained weights, or random ones at their true or a tiny size.

Random weights, drawn with seed 0, are for measuring costs and for tests: they recognize nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bench.errors import BenchError, reason_of
from bench.geneval.mask2former import geneval_name
from bench.geneval.prompts import CLASSES
from bench.weights.files import check_file
from bench.weights.modules import VERBS, quieted, whole_module
from bench.weights.source import Source, locate

PRETRAINED = "pretrained"
UNTRAINED = ("random", "tiny")


def detector_config(tiny: bool = False) -> Any:
    """Mask2Former, Swin-S, COCO: 68,741,083 parameters; or 57,773 in the same shape."""
    from transformers import Mask2FormerConfig, SwinConfig

    stages = ["stage1", "stage2", "stage3", "stage4"]
    swin: dict[str, Any] = {"embed_dim": 96, "depths": [2, 2, 18, 2], "num_heads": [3, 6, 12, 24]}
    sizes: dict[str, Any] = {}
    if tiny:
        swin = {"embed_dim": 4, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 1, 1]}
        small = ("feature_size", "mask_feature_size", "hidden_dim")
        sizes = dict.fromkeys(small, 32) | {"num_queries": 8, "num_attention_heads": 2}
        sizes |= {"encoder_feedforward_dim": 32, "dim_feedforward": 32}
        sizes |= {"encoder_layers": 1, "decoder_layers": 2}
    backbone = SwinConfig(**swin, window_size=7, drop_path_rate=0.3, out_features=stages)
    names = dict(enumerate(CLASSES))
    labels = {"id2label": names, "label2id": {name: i for i, name in names.items()}}
    return Mask2FormerConfig(backbone_config=backbone, **labels, **sizes)


def folder_of(weights: str, source: Source, what: str) -> Path | None:
    """Where the files of ``source`` are, whole; None where the weights are random.

    ``weights``: pretrained (the hub's cache), random, tiny, or a folder that holds a folder named
    as the repository. Raises BenchError saying what is missing.
    """
    if weights in UNTRAINED:
        return None
    if weights == PRETRAINED:
        return locate(source, what, "miniature judge=mask2former")
    folder = Path(weights) / source.repo.rpartition("/")[2]
    remedy = f"{folder} must hold {', '.join(source.files)} of {source.repo}"
    if not folder.is_dir():
        raise BenchError(f"the folder {folder} of {what} is missing: {remedy}")
    for pattern in source.files:
        if not (files := sorted(folder.glob(pattern))):
            raise BenchError(f"the file {folder / pattern} of {what} is missing: {remedy}")
        for path in files:
            check_file(path, remedy)
    return folder


def build(kind: str, config: Any, folder: Path | None) -> Any:
    """transformers' class called ``kind`` in float32: from ``folder``, or of random weights.

    Raises BenchError unless every weight of the network, and no other, is in the folder.
    """
    import transformers

    quieted()
    network = getattr(transformers, kind)
    if folder is None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return network(config)
    try:
        return whole_module(network, folder, VERBS, dtype=torch.float32, use_safetensors=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        if isinstance(error, BenchError):
            raise
        reason = reason_of(error)
        raise BenchError(f"the weights in {folder} are no {kind}: {reason}") from None


def labels(network: Any, where: str) -> list[str]:
    """GenEval's names of the network's labels in order. Raises BenchError for other classes."""
    given = network.config.id2label
    try:
        names = [geneval_name(given[i]) for i in range(len(given))]
    except (KeyError, ValueError) as error:
        raise BenchError(f"the detector {where} was trained on other classes: {error}") from None
    if sorted(names) != sorted(CLASSES):
        raise BenchError(f"the detector {where} names {len(set(names))} of COCO's 80 classes")
    return names
