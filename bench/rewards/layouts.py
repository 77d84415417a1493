"""From the key layouts in which rewards are published to those of transformers' classes.

A *piece* is a function that says for each key of a network where its tensor lies in a checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

from torch import Tensor

from bench.weights.files import complain


@dataclass(frozen=True)
class Piece:
    """Where a network's tensor lies in a checkpoint: under which key, and which part of it.

    ``third``: 0, 1 or 2 for the query's, key's or value's rows of a joint projection.
    """

    key: str
    third: int | None = None
    transposed: bool = False

    def take(self, state: Mapping[str, Tensor]) -> Tensor:
        tensor = state[self.key]
        if self.third is not None:
            rows = len(tensor) // 3
            tensor = tensor[self.third * rows : (self.third + 1) * rows]
        return tensor.T if self.transposed else tensor


def translate(
    state: Mapping[str, Tensor],
    keys: Iterable[str],
    piece: Callable[[str], Piece],
    ignored: Iterable[str],
    where: str,
) -> dict[str, Tensor]:
    """``state`` under the network's own ``keys``, each found by ``piece``.

    Checkpoint keys that match a pattern of ``ignored`` are left out. Raises BenchError, naming the
    checkpoint's keys, where one is missing or is neither used nor ignored.
    """
    pieces = {key: piece(key) for key in keys}
    wanted = {p.key for p in pieces.values()}
    unknown = [k for k in state if k not in wanted and not any(fnmatch(k, i) for i in ignored)]
    complain(where, missing=wanted - state.keys(), unknown=unknown)
    return {key: p.take(state) for key, p in pieces.items()}


def native(key: str) -> Piece:
    """Checkpoints that transformers saved have the network's own keys."""
    return Piece(key)


NATIVE_UNUSED = ("*.position_ids",)  # buffers that older versions of transformers saved

# OpenCLIP's layout, in which HPS v2.1 is published, for transformers' CLIPModel.
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


# ImageReward's layout, which is BLIP's own, for transformers' BLIP classes: the first pattern that
# fits the front of a key counts.
BLIP = (
    (r"vision\.embeddings\.class_embedding", "visual_encoder.cls_token"),
    (r"vision\.embeddings\.position_embedding", "visual_encoder.pos_embed"),
    (r"vision\.embeddings\.patch_embedding", "visual_encoder.patch_embed.proj"),
    (r"vision\.post_layernorm", "visual_encoder.norm"),
    (r"vision\.encoder\.layers\.(\d+)\.layer_norm([12])", r"visual_encoder.blocks.\1.norm\2"),
    (r"vision\.encoder\.layers\.(\d+)\.mlp", r"visual_encoder.blocks.\1.mlp"),
    (r"vision\.encoder\.layers\.(\d+)\.self_attn\.qkv", r"visual_encoder.blocks.\1.attn.qkv"),
    (
        r"vision\.encoder\.layers\.(\d+)\.self_attn\.projection",
        r"visual_encoder.blocks.\1.attn.proj",
    ),
    (r"text\.", "text_encoder."),
)
# BLIP's contrastive projections, which the reward does not use, and an index buffer.
BLIP_UNUSED = (
    "blip.vision_proj.*",
    "blip.text_proj.*",
    "blip.text_encoder.embeddings.position_ids",
)


def blip(key: str) -> Piece:
    """Where the network's ``key`` lies in ImageReward's checkpoint."""
    if key.startswith("head."):
        return Piece(key.replace("head.", "mlp.layers.", 1))
    for pattern, name in BLIP:
        if match := re.match(pattern, key):
            return Piece(f"blip.{match.expand(name)}{key[match.end() :]}")
    raise KeyError(key)
