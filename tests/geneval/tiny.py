"""A tiny judge of random weights that sees things, its settings, and its weights as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bench.compose import cell_settings
from bench.geneval import architecture
from bench.geneval.judge import Mask2FormerJudge, load

PARTS = {"detector": "mask2former-swin-small-coco-instance", "clip": "clip-vit-large-patch14"}
KINDS = {"detector": "Mask2FormerForUniversalSegmentation", "clip": "CLIPModel"}


def settings(*overrides: str) -> dict[str, Any]:
    small = ["judge=mask2former", "judge.weights=tiny", "judge.device=cpu"]
    sizes = ["judge.shorter=64", "judge.longer=128", "judge.batch=2"]
    return cell_settings([*small, *sizes, *overrides], [])["judge"]


def opinionated(judge: Mask2FormerJudge) -> Mask2FormerJudge:
    """The class head scaled up: random weights are now sure of something wherever they look."""
    with torch.no_grad():
        judge.detector.network.class_predictor.weight.mul_(100)
    return judge


def judge(*overrides: str) -> Mask2FormerJudge:
    return opinionated(load(settings(*overrides)))


def write_weights(folder: Path) -> Path:
    """Tiny weights in the layout that ``judge.weights=FOLDER`` reads."""
    from transformers import CLIPTokenizer

    configs = {
        "detector": architecture.detector_config(True),
        "clip": architecture.clip_config(True),
    }
    for part, name in PARTS.items():
        architecture.build(KINDS[part], configs[part], None).save_pretrained(folder / name)
    tokenizer: CLIPTokenizer = architecture.byte_tokenizer(513)
    clip = folder / PARTS["clip"]
    tokenizer.save_pretrained(clip)
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"):
        if not (clip / name).exists():  # transformers reads tokenizer.json alone
            (clip / name).write_text("{}" if name.endswith("json") else "")
    return folder
