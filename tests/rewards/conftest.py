"""Tiny checkpoints on disk as the real ones are published, and no network."""

from __future__ import annotations

import json
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))  # original.py and tiny.py
from original import mlp_state
from tiny import BLIP, CLIP, STATES

from bench.miniature.text import vocabulary
from bench.rewards import aesthetic, cosine, imagereward, load_reward, tokens


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def small(monkeypatch):
    """Tiny sizes in the place of the true ones, so that checkpoints are small."""
    monkeypatch.setattr(imagereward, "FULL", BLIP)
    monkeypatch.setattr(aesthetic, "VIT_L_14", CLIP)
    variants = {k: replace(v, architecture=CLIP) for k, v in cosine.VARIANTS.items()}
    monkeypatch.setattr(cosine, "VARIANTS", variants)


@pytest.fixture
def save(tmp_path):
    """save(kind, state) -> a checkpoint's path, in its published form, vocabularies beside it."""
    ids, merges = vocabulary()
    (tmp_path / "vocab.json").write_text(json.dumps(ids))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (tmp_path / "merges.txt").write_text("\n".join(lines) + "\n")
    words = tokens.tiny_blip_tokenizer().get_vocab()
    ordered = sorted(words, key=words.__getitem__)[:-2]  # without [DEC] and [ENC]
    (tmp_path / "vocab.txt").write_text("\n".join(ordered) + "\n")

    def write(kind, state):
        if kind == "hps":
            torch.save({"state_dict": state}, path := tmp_path / "HPS_v2.1_compressed.pt")
        elif kind == "imagereward":
            torch.save(state, path := tmp_path / "ImageReward.pt")
        else:
            save_file(state, path := tmp_path / "model.safetensors")
        return path

    return write


@pytest.fixture
def load(small, save, tmp_path):
    """load(kind, state=…, **settings): the reward of a tiny checkpoint on disk."""

    def read(kind, state=None, **settings):
        path = save(kind, STATES[kind]() if state is None else state)
        given = {"kind": kind, "weights": str(path), **settings}
        if kind == "aesthetic" and "head_weights" not in given:
            torch.save(
                mlp_state("layers.", CLIP.features), head := tmp_path / "aesthetic-model.pth"
            )
            given |= {"head": "mlp", "head_weights": str(head)}
        return load_reward(kind, {kind: given})

    return read
