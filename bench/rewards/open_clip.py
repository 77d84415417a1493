"""OpenCLIP's checkpoint layout, in which HPS v2.1 is published, onto transformers' CLIPModel."""

from __future__ import annotations

import re

from bench.rewards.layout import Piece

THIRDS = {"q_proj": 0, "k_proj": 1, "v_proj": 2}
OUTSIDE = {
    "logit_scale": Piece("logit_scale"),
    "text_projection.weight": Piece("text_projection", transposed=True),
    "visual_projection.weight": Piece("visual.proj", transposed=True),
    "text_model.embeddings.token_embedding.weight": Piece("token_embedding.weight"),
    "text_model.embeddings.position_embedding.weight": Piece("positional_embedding"),
    "vision_model.embeddings.class_embedding": Piece("visual.class_embedding"),
    "vision_model.embeddings.patch_embedding.weight": Piece("visual.conv1.weight"),
    "vision_model.embeddings.position_embedding.weight": Piece("visual.positional_embedding"),
}
NORMS = {
    "text_model.final_layer_norm": "ln_final",
    "vision_model.pre_layrnorm": "visual.ln_pre",  # transformers' own spelling
    "vision_model.post_layernorm": "visual.ln_post",
}
PARTS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
LAYER = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.(.+)\.(weight|bias)")


def open_clip(key: str) -> Piece:
    """Where CLIPModel's ``key`` lies in a checkpoint of OpenCLIP."""
    if key in OUTSIDE:
        return OUTSIDE[key]
    if match := LAYER.fullmatch(key):
        tower, number, part, kind = match.groups()
        block = f"{'visual.' if tower == 'vision' else ''}transformer.resblocks.{number}"
        if part in PARTS:
            return Piece(f"{block}.{PARTS[part]}.{kind}")
        return Piece(f"{block}.attn.in_proj_{kind}", third=THIRDS[part.rpartition(".")[2]])
    stem, _, kind = key.rpartition(".")
    return Piece(f"{NORMS[stem]}.{kind}")
