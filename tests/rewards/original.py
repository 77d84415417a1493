"""ImageReward and OpenCLIP in their published key layouts: random weights, and naive networks."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from bench.rewards.clip_model import Architecture
from bench.rewards.imagereward import Sizes

HIDDEN = (1024, 128, 64, 16, 1)


class Draw(dict):
    """A state dict that grows by random tensors."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def add(self, key, *shape, scale=0.1):
        self[key] = scale * torch.randn(shape, generator=self.generator)

    def linear(self, key, inputs, outputs):
        self.add(f"{key}.weight", outputs, inputs, scale=inputs**-0.5)
        self.add(f"{key}.bias", outputs)

    def norm(self, key, width):
        self.add(f"{key}.weight", width)
        self[f"{key}.weight"] += 1
        self.add(f"{key}.bias", width)


def mlp_state(prefix, width, seed=3):
    """The five linear layers that ImageReward and the improved aesthetic predictor share."""
    state = Draw(seed)
    for number, a, b in zip((0, 2, 4, 6, 7), (width, *HIDDEN), HIDDEN, strict=False):
        state.linear(f"{prefix}{number}", a, b)
    return dict(state)


def mlp(state, prefix, x):
    for number in (0, 2, 4, 6, 7):
        x = linear(x, state, f"{prefix}{number}")
    return x[:, 0]


def imagereward_state(of: Sizes, seed=0):
    """ImageReward.pt, with the parts that it carries unused."""
    state, image = Draw(seed), "blip.visual_encoder"
    (vision, depth, _), (text, layers, _) = of.vision, of.text
    state.add(f"{image}.cls_token", 1, 1, vision)
    state.add(f"{image}.pos_embed", 1, (of.image // of.patch) ** 2 + 1, vision)
    state.add(f"{image}.patch_embed.proj.weight", vision, 3, of.patch, of.patch)
    state.add(f"{image}.patch_embed.proj.bias", vision)
    state.norm(f"{image}.norm", vision)
    for n in range(depth):
        block = f"{image}.blocks.{n}"
        state.norm(f"{block}.norm1", vision)
        state.norm(f"{block}.norm2", vision)
        state.linear(f"{block}.attn.qkv", vision, 3 * vision)
        state.linear(f"{block}.attn.proj", vision, vision)
        state.linear(f"{block}.mlp.fc1", vision, 4 * vision)
        state.linear(f"{block}.mlp.fc2", 4 * vision, vision)
    words = "blip.text_encoder.embeddings"
    state[f"{words}.position_ids"] = torch.arange(of.positions)[None]
    state.add(f"{words}.word_embeddings.weight", of.vocabulary, text)
    state.add(f"{words}.position_embeddings.weight", of.positions, text)
    state.norm(f"{words}.LayerNorm", text)
    for n in range(layers):
        layer = f"blip.text_encoder.encoder.layer.{n}"
        for kind, width in (("attention", text), ("crossattention", vision)):
            state.linear(f"{layer}.{kind}.self.query", text, text)
            state.linear(f"{layer}.{kind}.self.key", width, text)
            state.linear(f"{layer}.{kind}.self.value", width, text)
            state.linear(f"{layer}.{kind}.output.dense", text, text)
            state.norm(f"{layer}.{kind}.output.LayerNorm", text)
        state.linear(f"{layer}.intermediate.dense", text, 4 * text)
        state.linear(f"{layer}.output.dense", 4 * text, text)
        state.norm(f"{layer}.output.LayerNorm", text)
    state.linear("blip.vision_proj", vision, 8)
    state.linear("blip.text_proj", text, 8)
    return dict(state) | mlp_state("mlp.layers.", text)


def linear(x, state, key):
    return x @ state[f"{key}.weight"].T + state[f"{key}.bias"]


def norm(x, state, key, eps):
    return F.layer_norm(x, x.shape[-1:], state[f"{key}.weight"], state[f"{key}.bias"], eps)


def attend(q, k, v, heads, there=None):
    """Multi-head attention, head by head; ``there`` (L,) marks the keys that are no padding."""
    outputs = []
    for a, b, c in zip(*(t.chunk(heads, dim=-1) for t in (q, k, v)), strict=True):
        weights = a @ b.transpose(-1, -2) / a.shape[-1] ** 0.5
        if there is not None:
            weights = weights.masked_fill(~there, float("-inf"))
        outputs.append(weights.softmax(-1) @ c)
    return torch.cat(outputs, dim=-1)


def imagereward(state, of: Sizes, pixels, ids, there):
    """Scores before they are standardized: pixels (B, 3, H, W), one prompt's ids (L,)."""
    image = "blip.visual_encoder"
    kernel = (state[f"{image}.patch_embed.proj.{k}"] for k in ("weight", "bias"))
    patches = F.conv2d(pixels, *kernel, stride=of.patch).flatten(2).transpose(1, 2)
    first = state[f"{image}.cls_token"].expand(len(pixels), 1, -1)
    x = torch.cat([first, patches], dim=1) + state[f"{image}.pos_embed"]
    for n in range(of.vision[1]):
        block = f"{image}.blocks.{n}"
        qkv = linear(norm(x, state, f"{block}.norm1", 1e-6), state, f"{block}.attn.qkv")
        x = x + linear(attend(*qkv.chunk(3, -1), of.vision[2]), state, f"{block}.attn.proj")
        hidden = linear(norm(x, state, f"{block}.norm2", 1e-6), state, f"{block}.mlp.fc1")
        x = x + linear(F.gelu(hidden), state, f"{block}.mlp.fc2")
    seen = norm(x, state, f"{image}.norm", 1e-6)

    words = "blip.text_encoder.embeddings"
    y = state[f"{words}.word_embeddings.weight"][ids]
    y = y + state[f"{words}.position_embeddings.weight"][: len(ids)]
    y = norm(y, state, f"{words}.LayerNorm", 1e-12).expand(len(pixels), -1, -1)
    for n in range(of.text[1]):
        layer = f"blip.text_encoder.encoder.layer.{n}"
        for kind, source, mask in (("attention", None, there), ("crossattention", seen, None)):
            part, context = f"{layer}.{kind}", y if source is None else source
            q = linear(y, state, f"{part}.self.query")
            k, v = (linear(context, state, f"{part}.self.{w}") for w in ("key", "value"))
            out = linear(attend(q, k, v, of.text[2], mask), state, f"{part}.output.dense")
            y = norm(y + out, state, f"{part}.output.LayerNorm", 1e-12)
        hidden = F.gelu(linear(y, state, f"{layer}.intermediate.dense"))
        out = linear(hidden, state, f"{layer}.output.dense")
        y = norm(y + out, state, f"{layer}.output.LayerNorm", 1e-12)
    return mlp(state, "mlp.layers.", y[:, 0])


def open_clip_state(of: Architecture, seed=0):
    """HPS_v2.1_compressed.pt's state_dict."""
    state, (vision, text) = Draw(seed), (of.vision.width, of.text.width)
    state["logit_scale"] = torch.tensor(4.6)
    state.add("positional_embedding", of.limit, text)
    state.add("text_projection", text, of.features)
    state.add("token_embedding.weight", of.vocabulary, text)
    state.norm("ln_final", text)
    state.add("visual.class_embedding", vision)
    state.add("visual.positional_embedding", (of.image // of.patch) ** 2 + 1, vision)
    state.add("visual.conv1.weight", vision, 3, of.patch, of.patch)
    state.add("visual.proj", vision, of.features)
    state.norm("visual.ln_pre", vision)
    state.norm("visual.ln_post", vision)
    for front, tower in (("", of.text), ("visual.", of.vision)):
        for n in range(tower.layers):
            block, width = f"{front}transformer.resblocks.{n}", tower.width
            state.norm(f"{block}.ln_1", width)
            state.norm(f"{block}.ln_2", width)
            state.add(f"{block}.attn.in_proj_weight", 3 * width, width, scale=width**-0.5)
            state.add(f"{block}.attn.in_proj_bias", 3 * width)
            state.linear(f"{block}.attn.out_proj", width, width)
            state.linear(f"{block}.mlp.c_fc", width, 4 * width)
            state.linear(f"{block}.mlp.c_proj", 4 * width, width)
    return dict(state)


def blocks(x, state, front, tower, mask=None):
    for n in range(tower.layers):
        block = f"{front}transformer.resblocks.{n}"
        attention = nn.MultiheadAttention(tower.width, tower.heads, batch_first=True)
        own = {
            k.removeprefix(f"{block}.attn."): v for k, v in state.items() if f"{block}.attn" in k
        }
        own = {k: v for k, v in own.items() if k in attention.state_dict()}
        attention.load_state_dict(own)
        h = norm(x, state, f"{block}.ln_1", 1e-5)
        x = x + attention(h, h, h, need_weights=False, attn_mask=mask)[0]
        hidden = F.gelu(linear(norm(x, state, f"{block}.ln_2", 1e-5), state, f"{block}.mlp.c_fc"))
        x = x + linear(hidden, state, f"{block}.mlp.c_proj")
    return x


def open_clip_cosine(state, of: Architecture, pixels, ids):
    """Cosines (B,) of pixels (B, 3, H, W) and a text's ids (L,), which end with its end token."""
    patches = F.conv2d(pixels, state["visual.conv1.weight"], stride=of.patch)
    first = state["visual.class_embedding"].expand(len(pixels), 1, -1)
    x = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
    x = norm(x + state["visual.positional_embedding"], state, "visual.ln_pre", 1e-5)
    x = blocks(x, state, "visual.", of.vision)
    image = norm(x[:, 0], state, "visual.ln_post", 1e-5) @ state["visual.proj"]
    y = state["token_embedding.weight"][ids] + state["positional_embedding"][: len(ids)]
    mask = torch.ones(len(ids), len(ids)).triu(1).bool()
    y = norm(blocks(y[None], state, "", of.text, mask), state, "ln_final", 1e-5)
    text = y[0, -1] @ state["text_projection"]
    return F.cosine_similarity(image, text[None])
