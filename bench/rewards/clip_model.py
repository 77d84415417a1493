"""CLIP models of transformers: their sizes, how they are loaded, and the unit vectors they give.

Architectures: ViT-L/14 (Radford et al., arXiv 2103.00020) and OpenCLIP's ViT-H/14 (Cherti et al.,
arXiv 2212.07143).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.device import resolve_dtype
from bench.miniature.text import build_tokenizer
from bench.rewards import tokens
from bench.rewards.layouts import Piece, translate
from bench.rewards.preprocess import check_images, prepare
from bench.rewards.pretrained import (
    Checkpoint,
    Pretrained,
    building,
    check_vocabulary,
    frozen,
    read,
    tokenizer_folder,
)
from bench.rewards.tokens import Prompts
from bench.weights.files import fill


@dataclass(frozen=True)
class Tower:
    width: int
    layers: int
    heads: int


@dataclass(frozen=True)
class Architecture:
    """``image`` and ``patch`` in pixels; ``features``: the width of the space both towers share."""

    image: int
    patch: int
    vision: Tower
    text: Tower
    features: int
    activation: str
    vocabulary: int = 49408
    limit: int = 77


VIT_L_14 = Architecture(224, 14, Tower(1024, 24, 16), Tower(768, 12, 12), 768, "quick_gelu")
VIT_H_14 = Architecture(224, 14, Tower(1280, 32, 16), Tower(1024, 24, 16), 1024, "gelu")
TINY = Architecture(32, 8, Tower(32, 2, 2), Tower(24, 2, 2), 16, "gelu", vocabulary=2048)


def config(of: Architecture, end: int) -> Any:
    """The CLIPConfig of an architecture; ``end``: the token whose output stands for the text."""
    from transformers import CLIPConfig

    def tower(sizes: Tower) -> dict[str, Any]:
        return {
            "hidden_size": sizes.width,
            "intermediate_size": 4 * sizes.width,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": sizes.heads,
            "hidden_act": of.activation,
            "projection_dim": of.features,
        }

    text = {
        "vocab_size": of.vocabulary,
        "max_position_embeddings": of.limit,
        "eos_token_id": end,
        "bos_token_id": None,  # not read; its default lies outside a tiny vocabulary
    }
    vision = {"image_size": of.image, "patch_size": of.patch}
    return CLIPConfig(
        text_config=tower(of.text) | text,
        vision_config=tower(of.vision) | vision,
        projection_dim=of.features,
    )


class ClipEncoder:
    """Unit vectors of pictures and prompts in the space that a CLIP model's two towers share.

    ``scale``: the model's own exp(logit_scale), of its float32 weights.
    """

    def __init__(self, model: Any, prompts: Prompts, digest: str, scale: float):
        self.model, self.prompts, self.digest, self.scale = model, prompts, digest, scale
        self.size: int = model.config.vision_config.image_size
        self._last: tuple[str, Tensor] | None = None

    def images(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] -> (B, d) float32, on the model's device; differentiable."""
        pixels = prepare(check_images(images).to(self.model.device), self.size)
        features = self.model.get_image_features(pixel_values=pixels.to(self.model.dtype))
        return F.normalize(features.pooler_output.float(), dim=-1)

    def text(self, prompt: str) -> Tensor:
        """(d,) float32. Tokens beyond the limit are not read: ``prompts.cut`` counts them.

        The last prompt's is kept, so that who asks at every step does not pay at every step.
        """
        if self._last is not None and self._last[0] == prompt:
            return self._last[1]
        ids, _ = self.prompts.encode(prompt, self.model.device)
        with torch.no_grad():  # causal: what pads the text does not touch its end token
            features = self.model.get_text_features(input_ids=ids)
        self._last = prompt, F.normalize(features.pooler_output[0].float(), dim=-1)
        return self._last[1]


# Encoders in use: the judge of colors, the clip score and the aesthetic score have one model.
_SHARED: WeakValueDictionary[tuple[Any, ...], ClipEncoder] = WeakValueDictionary()


def load(
    settings: Pretrained,
    of: Architecture,
    piece: Callable[[str], Piece],
    ignored: Iterable[str],
    device: torch.device,
    what: str,
) -> ClipEncoder:
    """A CLIP model and its tokenizer; those who ask for the same weights on a device share one.

    Raises BenchError where weights are missing or do not fit. ``piece`` finds the network's keys in
    the checkpoint. A folder with a ``config.json`` of transformers brings its own sizes; everything
    else has those of ``of``.
    """
    from transformers import CLIPModel

    dtype = resolve_dtype(f"the dtype of {what}", settings.dtype, device)
    checkpoint = folder = None
    if settings.weights in ("random", "tiny"):
        of = TINY if settings.weights == "tiny" else of
        mark, seed = settings.weights, (settings.source or {}).get("repo", what)
    else:
        checkpoint = read(settings.weights, settings.source, what)
        folder = tokenizer_folder(settings.tokenizer, checkpoint.file, what)
        mark, seed = checkpoint.digest, what
    key = (mark, None if checkpoint else seed, folder, of, dtype, device)
    if (known := _SHARED.get(key)) is not None:
        return known
    tokenizer = build_tokenizer() if folder is None else tokens.clip_tokenizer(folder, what)
    sizes = _own_config(settings, checkpoint) or config(of, tokenizer.eos_token_id)
    if checkpoint is not None:
        check_vocabulary(tokenizer, sizes.text_config.vocab_size, what)
    with building(device, seed):
        model = CLIPModel(sizes)
    if checkpoint is not None:
        where = str(checkpoint.file)
        fill(model, translate(checkpoint.tensors, model.state_dict(), piece, ignored, where), where)
    prompts = Prompts(tokenizer, sizes.text_config.max_position_embeddings)
    scale = float(model.logit_scale.detach().exp())
    made = _SHARED[key] = ClipEncoder(frozen(model, dtype), prompts, mark, scale)
    return made


def _own_config(settings: Pretrained, checkpoint: Checkpoint | None) -> Any:
    from transformers import CLIPConfig

    if checkpoint is None:
        return None
    file = checkpoint.file.parent / "config.json"
    if settings.weights == "pretrained" or not file.is_file():
        return None
    given: Mapping[str, Any] = json.loads(file.read_text())
    return CLIPConfig.from_dict(dict(given)) if given.get("model_type") == "clip" else None
