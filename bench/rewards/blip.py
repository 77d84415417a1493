"""The keys of ImageReward's checkpoint, in BLIP's own layout, for transformers' BLIP classes."""

from __future__ import annotations

import re

from bench.rewards.layout import Piece

# Rows of the network's tables -> the checkpoint's; the first that fits the front of a key counts.
RENAMED = (
    (r"vision\.embeddings\.class_embedding", "blip.visual_encoder.cls_token"),
    (r"vision\.embeddings\.position_embedding", "blip.visual_encoder.pos_embed"),
    (r"vision\.embeddings\.patch_embedding", "blip.visual_encoder.patch_embed.proj"),
    (r"vision\.post_layernorm", "blip.visual_encoder.norm"),
    (r"vision\.encoder\.layers\.(\d+)\.layer_norm([12])", r"blip.visual_encoder.blocks.\1.norm\2"),
    (r"vision\.encoder\.layers\.(\d+)\.mlp", r"blip.visual_encoder.blocks.\1.mlp"),
    (r"vision\.encoder\.layers\.(\d+)\.self_attn\.qkv", r"blip.visual_encoder.blocks.\1.attn.qkv"),
    (
        r"vision\.encoder\.layers\.(\d+)\.self_attn\.projection",
        r"blip.visual_encoder.blocks.\1.attn.proj",
    ),
    (r"text\.", "blip.text_encoder."),
    (r"head\.", "mlp.layers."),
)
# BLIP's contrastive projections, which the reward does not use, and an index buffer.
UNUSED = ("blip.vision_proj.*", "blip.text_proj.*", "blip.text_encoder.embeddings.position_ids")


def blip(key: str) -> Piece:
    """Where the network's ``key`` lies in ImageReward's checkpoint."""
    for pattern, name in RENAMED:
        if match := re.match(pattern, key):
            return Piece(match.expand(name) + key[match.end() :])
    raise KeyError(key)
