"""LAION's aesthetic predictors: a linear map of a picture's CLIP ViT-L/14 unit vector.

``head: linear`` is version 1, one linear layer trained on SAC's ratings; ``head: mlp`` the improved
predictor (SAC + Logos + AVA), five linear layers. Neither reads the prompt. Scores are meant as
ratings from 1 to 10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.rewards.clip_model import VIT_L_14, ClipEncoder, load
from bench.rewards.layouts import NATIVE_UNUSED, native
from bench.rewards.pretrained import (
    NAMED,
    Pretrained,
    Weighted,
    building,
    check_place,
    check_source,
    five_linear,
    frozen,
    in_batches,
    read,
)
from bench.weights.files import fill
from methods.settings import one_of

NETWORK = ("vision_model.", "visual_projection.")  # a whole predictor saved with its CLIP tower


@dataclass(frozen=True)
class AestheticSettings(Pretrained):
    """``weights`` and ``source`` are CLIP's. ``head_weights``: as ``weights``, or None for the same
    name; ``head_source``: the pinned source of the head."""

    head: str = "linear"
    head_weights: str | None = None
    head_source: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("head", self.head, ("linear", "mlp"))
        check_place("head_weights", self.head_place)
        if self.head_place == "pretrained":
            check_source("head_source", self.head_source)

    @property
    def head_place(self) -> str:
        if self.head_weights is not None:
            return self.head_weights
        return self.weights if self.weights in NAMED else "pretrained"


def head_layout(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A head's tensors under the keys of its layers, out of any of the published layouts."""
    own = {k: v for k, v in state.items() if not k.startswith(NETWORK)}
    return {k.removeprefix("predictor.").removeprefix("layers."): v for k, v in own.items()}


class AestheticReward(Weighted):
    """A head on CLIP's image vector. The weights are frozen."""

    name = "aesthetic"
    differentiable = True

    def __init__(self, encoder: ClipEncoder, head: nn.Module, batch: int, digest: str):
        self.encoder, self.head, self.batch, self._digest = encoder, head, batch, digest

    @classmethod
    def load(cls, settings: AestheticSettings, device: torch.device) -> AestheticReward:
        """BenchError as :func:`bench.rewards.clip_model.load`, for both parts."""
        encoder = load(settings, VIT_L_14, native, NATIVE_UNUSED, device, cls.name)
        width = encoder.model.config.projection_dim
        head: nn.Module
        with building(device, f"{cls.name} head"):
            head = nn.Linear(width, 1) if settings.head == "linear" else five_linear(width)
        digest = settings.head_place
        if settings.head_place not in ("random", "tiny"):
            what = f"{cls.name}'s {settings.head} head"
            checkpoint = read(settings.head_place, settings.head_source, what)
            fill(head, head_layout(checkpoint.tensors), str(checkpoint.file))
            digest = checkpoint.digest
        head = frozen(head, torch.float32)
        return cls(encoder, head, settings.batch, f"{encoder.digest} + {digest}")

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B,) float32 on the images' device."""

        def score(part: Tensor) -> Tensor:
            return self.head(self.encoder.images(part))[:, 0]

        return in_batches(score, images, self.batch).to(images.device)
