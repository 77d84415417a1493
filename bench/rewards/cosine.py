"""Rewards that are the angle between a picture and its prompt in a CLIP model's space.

clip: the cosine under OpenAI's ViT-L/14 (Hessel et al., CLIPScore, arXiv 2104.08718, unscaled).
hps: the cosine under HPS v2.1, a ViT-H/14 tuned on human choices (Wu et al., arXiv 2306.09341).
pickscore: the cosine times the model's own exp(logit_scale), as its authors report it (Kirstain et
al., arXiv 2305.01569). All see the central square of a picture; the original HPS pads instead,
which is the same for square pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.rewards.clip_model import VIT_H_14, VIT_L_14, Architecture, ClipEncoder, load
from bench.rewards.layouts import NATIVE_UNUSED, Piece, native, open_clip
from bench.rewards.pretrained import Pretrained, in_batches


@dataclass(frozen=True)
class Variant:
    """Which model, in which layout it is published, and whether its score is scaled."""

    architecture: Architecture
    piece: Callable[[str], Piece]
    ignored: Sequence[str] = ()
    scaled: bool = False


VARIANTS = {
    "clip": Variant(VIT_L_14, native, NATIVE_UNUSED),
    "hps": Variant(VIT_H_14, open_clip),
    "pickscore": Variant(VIT_H_14, native, NATIVE_UNUSED, scaled=True),
}


class CosineReward:
    """Cosine of picture and prompt in [-1, 1], times ``scale``. The weights are frozen."""

    differentiable = True

    def __init__(self, name: str, encoder: ClipEncoder, batch: int, scaled: bool):
        self.name, self.encoder, self.batch = name, encoder, batch
        self.scale = encoder.scale if scaled else 1.0

    @classmethod
    def load(cls, kind: str, settings: Pretrained, device: torch.device) -> CosineReward:
        """``kind`` of VARIANTS; BenchError as :func:`bench.rewards.clip_model.load`."""
        how = VARIANTS[kind]
        encoder = load(settings, how.architecture, how.piece, how.ignored, device, kind)
        return cls(kind, encoder, settings.batch, how.scaled)

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B,) float32 on the images' device."""
        text = self.encoder.text(prompt)
        scores = in_batches(lambda part: self.encoder.images(part) @ text, images, self.batch)
        return (self.scale * scores).to(images.device)

    def features(self, images: Tensor) -> Tensor:
        """Unit vectors (B, d) float32 of images (B, 3, H, W) in [0, 1]."""
        return in_batches(self.encoder.images, images, self.batch).to(images.device)

    def digest(self) -> str:
        return self.encoder.digest

    def cut(self, prompt: str) -> int:
        """The prompt's tokens beyond the model's 77, which it does not read."""
        return self.encoder.prompts.cut(prompt)
