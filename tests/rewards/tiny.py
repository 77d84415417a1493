"""Tiny sizes, random states in the published layouts, and pictures to score."""

from __future__ import annotations

from dataclasses import replace

import torch
from original import imagereward_state, open_clip_state

from bench.miniature.text import vocabulary
from bench.rewards import clip_model, imagereward, tokens

CLIP = replace(clip_model.TINY, vocabulary=len(vocabulary()[0]))
BLIP = replace(imagereward.TINY, vocabulary=len(tokens.tiny_blip_tokenizer()))
PROMPT = "a photo of a red car and a blue cat"


def pictures(count=3, height=48, width=48):
    """Smooth random pictures (count, 3, height, width) in [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 6, 6, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def native_state():
    """A CLIPModel's state as older versions of transformers saved it, with its index buffers."""
    from transformers import CLIPModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CLIPModel(clip_model.config(CLIP, end=1))
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    return state | {"text_model.embeddings.position_ids": torch.arange(CLIP.limit)[None]}


STATES = {
    "imagereward": lambda: imagereward_state(BLIP),
    "hps": lambda: open_clip_state(CLIP),
    "clip": native_state,
    "pickscore": native_state,
    "aesthetic": native_state,
}
