"""ImageReward-v1.0 (Xu et al., arXiv 2304.05977): BLIP reads prompt and picture, a head scores.

The text tower attends to the picture's tokens; the first token's output goes through five linear
layers. Scores are standardized as the authors do, about 0 ± 1 on their data. A prompt counts up to
35 tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench.device import resolve_dtype
from bench.rewards import tokens
from bench.rewards.layouts import BLIP_UNUSED, blip, translate
from bench.rewards.preprocess import check_images, prepare
from bench.rewards.pretrained import (
    Pretrained,
    Weighted,
    building,
    check_vocabulary,
    five_linear,
    frozen,
    in_batches,
    read,
    tokenizer_folder,
)
from bench.rewards.tokens import Prompts
from bench.weights.files import fill

CENTER, SPREAD = 0.16717362830052426, 1.0333394966054072
LIMIT = 35


@dataclass(frozen=True)
class Sizes:
    """Of both towers: pixels, then width, layers and heads."""

    image: int = 224
    patch: int = 16
    vision: tuple[int, int, int] = (1024, 24, 16)
    text: tuple[int, int, int] = (768, 12, 12)
    vocabulary: int = 30524
    positions: int = 512


FULL = Sizes()
TINY = Sizes(32, 8, (32, 2, 2), (24, 2, 2), vocabulary=512, positions=LIMIT)


def build(of: Sizes) -> nn.ModuleDict:
    """The network, with its ``vision`` and ``text`` towers and its ``head``."""
    from transformers import BlipTextConfig, BlipTextModel, BlipVisionConfig, BlipVisionModel

    def tower(width: int, layers: int, heads: int) -> dict[str, Any]:
        return {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "initializer_range": 0.02,
        }

    vision = BlipVisionConfig(
        image_size=of.image, patch_size=of.patch, layer_norm_eps=1e-6, **tower(*of.vision)
    )
    text = BlipTextConfig(
        vocab_size=of.vocabulary,
        max_position_embeddings=of.positions,
        encoder_hidden_size=of.vision[0],
        layer_norm_eps=1e-12,
        bos_token_id=None,  # not read; its default lies outside a tiny vocabulary
        is_decoder=True,  # else it has no cross-attention; the call itself is not causal
        **tower(*of.text),
    )
    return nn.ModuleDict(
        {
            "vision": BlipVisionModel(vision),
            "text": BlipTextModel(text, add_pooling_layer=False),
            "head": five_linear(of.text[0]),
        }
    )


class ImageReward(Weighted):
    """The weights are frozen."""

    name = "imagereward"
    differentiable = True

    def __init__(self, network: nn.ModuleDict, prompts: Prompts, batch: int, digest: str):
        self.network, self.prompts, self.batch, self._digest = network, prompts, batch, digest

    @classmethod
    def load(cls, settings: Pretrained, device: torch.device) -> ImageReward:
        """Raises BenchError where weights or tokenizer are missing or do not fit."""
        dtype = resolve_dtype(f"the dtype of {cls.name}", settings.dtype, device)
        checkpoint = None
        if settings.weights in ("random", "tiny"):
            sizes = TINY if settings.weights == "tiny" else FULL
            tokenizer = tokens.tiny_blip_tokenizer()
        else:
            sizes = FULL
            checkpoint = read(settings.weights, settings.source, cls.name)
            folder = tokenizer_folder(settings.tokenizer, checkpoint.file, cls.name)
            tokenizer = tokens.blip_tokenizer(folder, cls.name)
            check_vocabulary(tokenizer, sizes.vocabulary, cls.name)
        with building(device, cls.name):
            network = build(sizes)
        if checkpoint is not None:
            where, own = str(checkpoint.file), network.state_dict()
            fill(network, translate(checkpoint.tensors, own, blip, BLIP_UNUSED, where), where)
        digest = checkpoint.digest if checkpoint else settings.weights
        prompts = Prompts(tokenizer, LIMIT)
        return cls(frozen(network, dtype), prompts, settings.batch, digest)

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B,) float32 on the images' device."""
        vision: Any = self.network["vision"]
        ids, mask = self.prompts.encode(prompt, vision.device)
        # As transformers makes it, which for a mask of tokens looks whether it hides any: at every
        # call that would hold up the host.
        hidden = (1 - mask.to(vision.dtype)) * torch.finfo(vision.dtype).min

        def score(part: Tensor) -> Tensor:
            pixels = prepare(check_images(part).to(vision.device), vision.config.image_size)
            seen = vision(pixel_values=pixels.to(vision.dtype)).last_hidden_state
            read = self.network["text"](
                input_ids=ids.expand(len(part), -1),
                attention_mask=hidden[:, None, None],
                encoder_hidden_states=seen,
            )
            return self.network["head"](read.last_hidden_state[:, 0])[:, 0]

        raw = in_batches(score, images, self.batch)
        return ((raw - CENTER) / SPREAD).to(images.device)

    def cut(self, prompt: str) -> int:
        return self.prompts.cut(prompt)
