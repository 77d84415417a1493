"""Checkpoints in their published layouts: loaded whole, or refused by name."""

import pytest
import torch
from tiny import CLIP, PROMPT, STATES, pictures

from bench.errors import BenchError
from bench.rewards import load_reward
from bench.weights.files import digest

KINDS = list(STATES)
# A key of each checkpoint to leave out: part of a layer, so that its mapping is on trial.
LEFT_OUT = {
    "imagereward": "blip.visual_encoder.blocks.1.attn.qkv.bias",
    "hps": "transformer.resblocks.1.attn.in_proj_weight",
    "clip": "text_model.encoder.layers.1.self_attn.q_proj.weight",
    "pickscore": "logit_scale",
    "aesthetic": "visual_projection.weight",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_checkpoint_loads_and_scores(load, kind, tmp_path):
    reward = load(kind)
    scores = reward(pictures(), PROMPT)
    assert scores.shape == (3,) and scores.dtype == torch.float32 and scores.isfinite().all()
    assert scores.std() > 1e-4, "weights were read: random ones of the tiny kind hardly differ"
    assert reward.name == kind and reward.cut(PROMPT) == 0
    files = {"imagereward": "ImageReward.pt", "hps": "HPS_v2.1_compressed.pt"}
    assert digest([tmp_path / files.get(kind, "model.safetensors")]) in reward.digest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_key_is_named(load, kind):
    state = STATES[kind]()
    del state[LEFT_OUT[kind]]
    with pytest.raises(BenchError, match=rf"1 key missing: {LEFT_OUT[kind]}"):
        load(kind, state)


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_key_is_named(load, kind):
    state = STATES[kind]() | {"visual.transformer.extra.weight": torch.zeros(2)}
    with pytest.raises(BenchError, match=r"1 key unknown: visual\.transformer\.extra\.weight"):
        load(kind, state)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_of_another_shape_is_named(load, kind):
    state = STATES[kind]()
    state[LEFT_OUT[kind]] = torch.zeros(3, 1)
    with pytest.raises(BenchError, match=r"keys? of other shape: [a-z]+"):
        load(kind, state)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_is_told_from_a_whole_one(small, save, kind):
    path = save(kind, STATES[kind]())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BenchError, match=rf"{path.name} is cut short.*{kind} at a whole file"):
        load_reward(kind, {kind: {"kind": kind, "weights": str(path), **head(kind)}})


@pytest.mark.parametrize("kind", KINDS)
def test_weights_that_are_not_there_are_named_with_the_remedy(kind, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    source = {"repo": "some/where", "revision": "0" * 40, "files": ["x.pt"], "gb": 1.5}
    given = {"kind": kind, "source": source, **head(kind)}
    message = rf"weights of {kind} are not on this machine: .*bench\.weights fetch.*1\.5 GB"
    with pytest.raises(BenchError, match=message):
        load_reward(kind, {kind: given})


def head(kind):
    return {"head_weights": "tiny"} if kind == "aesthetic" else {}


def test_pinned_weights_are_read_from_the_hub_s_cache(small, save, tmp_path, monkeypatch):
    from huggingface_hub import constants

    path = save("hps", STATES["hps"]())
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    weights, words = (tmp_path / "hub" / f"models--a--{n}" / "snapshots" / "f00" for n in "bc")
    weights.mkdir(parents=True)
    words.mkdir(parents=True)
    path.rename(weights / path.name)
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).rename(words / name)
    common = {"revision": "f00", "gb": 1.0}
    source = {"repo": "a/b", "files": ["*.pt"], **common}
    tokenizer = {"repo": "a/c", "files": ["vocab.json", "merges.txt"], **common}
    given = {"kind": "hps", "source": source, "tokenizer": tokenizer}
    reward = load_reward("hps", {"hps": given})
    assert reward.digest() == "a/b@f00" and reward(pictures(), PROMPT).isfinite().all()


def test_a_folder_brings_the_sizes_of_its_own_config(tmp_path, save):
    """The whole of a tiny CLIPModel saved by transformers, where ViT-L/14 is expected."""
    from transformers import CLIPModel

    from bench.rewards.clip_model import config

    save("clip", {})
    model = CLIPModel(config(CLIP, end=1))
    model.save_pretrained(tmp_path)
    reward = load_reward("clip", {"clip": {"kind": "clip", "weights": str(tmp_path)}})
    assert reward.features(pictures()).shape == (3, CLIP.features)


def test_a_folder_without_or_with_several_checkpoints_is_refused(tmp_path):
    given = {"clip": {"kind": "clip", "weights": str(tmp_path)}}
    with pytest.raises(BenchError, match="holds no checkpoint for clip"):
        load_reward("clip", given)
    for name in "ab":
        torch.save({}, tmp_path / f"{name}.pt")
    with pytest.raises(BenchError, match=r"several checkpoints \(a\.pt, b\.pt\)"):
        load_reward("clip", given)


@pytest.mark.parametrize(("kind", "file"), [("clip", "merges.txt"), ("imagereward", "vocab.txt")])
def test_a_missing_tokenizer_is_named(small, save, tmp_path, kind, file):
    path = save(kind, STATES[kind]())
    (tmp_path / file).unlink()
    with pytest.raises(BenchError, match=rf"{kind} needs the tokenizer's file .*{file}"):
        load_reward(kind, {kind: {"kind": kind, "weights": str(path)}})


@pytest.mark.parametrize(("kind", "file"), [("hps", "vocab.json"), ("imagereward", "vocab.txt")])
def test_a_tokenizer_of_another_model_is_refused(small, save, tmp_path, kind, file):
    path = save(kind, STATES[kind]())
    text = (tmp_path / file).read_text()
    more = f'{{"zebroid": {CLIP.vocabulary}, {text[1:]}' if kind == "hps" else f"{text}zebroid\n"
    (tmp_path / file).write_text(more)
    with pytest.raises(BenchError, match=r"has \d+ tokens, its network \d+: they do not belong"):
        load_reward(kind, {kind: {"kind": kind, "weights": str(path)}})


def test_float16_is_refused_on_a_cpu():
    for kind in ("imagereward", "clip", "aesthetic"):
        given = {kind: {"kind": kind, "weights": "tiny", "dtype": "float16"}}
        with pytest.raises(BenchError, match=f"the dtype of {kind}=float16 on a CPU"):
            load_reward(kind, given)
