"""A tiny judge of random weights that sees things, its settings, and its weights as folders."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from bench.config.compose import cell_settings
from bench.geneval import architecture
from bench.geneval.judge import Mask2FormerJudge, load
from bench.miniature.text import END, vocabulary
from bench.rewards import clip_model
from bench.rewards.layouts import native
from bench.rewards.pretrained import Pretrained

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
    detector = architecture.build(KINDS["detector"], architecture.detector_config(True), None)
    detector.save_pretrained(folder / PARTS["detector"])
    words, merges = vocabulary()
    sizes = clip_model.config(replace(clip_model.TINY, vocabulary=len(words)), words[END])
    clip = folder / PARTS["clip"]
    architecture.build(KINDS["clip"], sizes, None).save_pretrained(clip)
    (clip / "vocab.json").write_text(json.dumps(words))
    (clip / "merges.txt").write_text("\n".join(" ".join(pair) for pair in merges))
    return folder


def clip_parts() -> tuple[Any, Any]:
    """A tiny CLIP and its tokenizer."""
    own = Pretrained(weights="tiny")
    made = clip_model.load(own, clip_model.VIT_L_14, native, (), torch.device("cpu"), "clip")
    return made.model, made.prompts.tokenizer
