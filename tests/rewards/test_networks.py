"""The networks in transformers' classes against naive ones in the published layouts."""

import numpy as np
import pytest
import torch
from original import imagereward, mlp, mlp_state, open_clip_cosine
from PIL import Image
from tiny import BLIP, CLIP, PROMPT, STATES, native_state, pictures

from bench.rewards import clip_model, load_reward
from bench.rewards import imagereward as imagereward_module
from bench.rewards.preprocess import MEAN, STD, prepare
from bench.store.images import to_pil


def test_imagereward_is_blip_as_published(load):
    reward, state = load("imagereward"), STATES["imagereward"]()
    ids, there = (t[0] for t in reward.prompts.encode(PROMPT, torch.device("cpu")))
    assert len(ids) == 35 and 5 < there.sum() < 35
    pixels = prepare(pictures(), BLIP.image)
    raw = imagereward(state, BLIP, pixels, ids, there.bool())
    expected = (raw - 0.16717362830052426) / 1.0333394966054072
    torch.testing.assert_close(reward(pictures(), PROMPT), expected, rtol=1e-4, atol=1e-4)


def test_hps_is_open_clip_as_published(load):
    reward, state = load("hps"), STATES["hps"]()
    ids = torch.tensor(reward.encoder.prompts.tokenizer(PROMPT)["input_ids"])
    expected = open_clip_cosine(state, CLIP, prepare(pictures(), CLIP.image), ids)
    torch.testing.assert_close(reward(pictures(), PROMPT), expected, rtol=1e-4, atol=1e-5)


def pil_pixels(images, size):
    """Square pictures as CLIPProcessor makes them: PIL's bicubic on eight bits."""
    small = [i.resize((size, size), Image.Resampling.BICUBIC) for i in to_pil(images)]
    pixels = np.stack([np.asarray(i, dtype=np.float32) / 255 for i in small])
    return torch.from_numpy((pixels - np.float32(MEAN)) / np.float32(STD)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("kind", ["clip", "pickscore"])
def test_clip_and_pickscore_are_clip_model_s_own_forward(load, kind):
    """Padded and masked as CLIPProcessor does, from eight-bit pictures that PIL resized."""
    from transformers import CLIPModel

    reward = load(kind)
    model = CLIPModel(clip_model.config(CLIP, end=1))
    state = native_state()
    del state["text_model.embeddings.position_ids"]
    model.load_state_dict(state)
    text = reward.encoder.prompts.tokenizer([PROMPT, "a dog"], padding=True, return_tensors="pt")
    text = {k: text[k] for k in ("input_ids", "attention_mask")}
    with torch.no_grad():
        same = model.eval()(pixel_values=prepare(pictures(), CLIP.image), **text)
        near = model(pixel_values=pil_pixels(pictures(), CLIP.image), **text)
    scale = 1 if kind == "pickscore" else model.logit_scale.exp()
    scores = reward(pictures(), PROMPT)
    torch.testing.assert_close(scores, same.logits_per_image[:, 0] / scale, rtol=1e-5, atol=1e-5)
    close = near.logits_per_image[:, 0] / scale
    torch.testing.assert_close(scores, close, rtol=0, atol=0.015 * reward.scale)


def test_clip_s_features_are_unit_vectors_and_its_score_their_cosine(load):
    reward = load("clip")
    features = reward.features(pictures())
    torch.testing.assert_close(features.norm(dim=1), torch.ones(3))
    text = reward.encoder.text(PROMPT)
    torch.testing.assert_close(reward(pictures(), PROMPT), features @ text)


def test_the_improved_aesthetic_head_is_five_linear_layers_on_clip_s_unit_vector(load):
    reward, clip = load("aesthetic"), load("clip")
    expected = mlp(mlp_state("", CLIP.features), "", clip.features(pictures()))
    torch.testing.assert_close(reward(pictures(), "x"), expected)
    assert torch.equal(reward(pictures(), "x"), reward(pictures(), "y"))


@pytest.mark.parametrize("layout", ["alone", "with its CLIP tower"])
def test_the_first_aesthetic_head_is_one_linear_layer(load, tmp_path, layout):
    weight = torch.randn(1, CLIP.features, generator=torch.Generator().manual_seed(1))
    head = {"weight": weight, "bias": torch.tensor([5.0])}
    if layout != "alone":
        head = {f"predictor.{k}": v for k, v in head.items()}
        head |= {k: v for k, v in native_state().items() if k.startswith("vis")}
    torch.save(head, tmp_path / "head.pth")
    reward = load("aesthetic", head="linear", head_weights=str(tmp_path / "head.pth"))
    expected = load("clip").features(pictures()) @ weight[0] + 5
    torch.testing.assert_close(reward(pictures(), PROMPT), expected)


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_an_aesthetic_head_of_the_other_form_is_refused(load, tmp_path, head):
    torch.save(mlp_state("layers.", CLIP.features), tmp_path / "mlp.pth")
    torch.save({"weight": torch.zeros(1, 1), "bias": torch.zeros(1)}, tmp_path / "linear.pth")
    other = {"linear": "mlp", "mlp": "linear"}[head]
    with pytest.raises(ValueError, match=rf"{other}\.pth does not fit.*missing.*unknown"):
        load("aesthetic", head=head, head_weights=str(tmp_path / f"{other}.pth"))


def parameters(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("architecture", "published"),
    [(clip_model.VIT_L_14, 427_616_513), (clip_model.VIT_H_14, 986_109_441)],
)
def test_clip_s_true_sizes_have_the_published_number_of_parameters(architecture, published):
    from transformers import CLIPModel

    with torch.device("meta"):
        assert parameters(CLIPModel(clip_model.config(architecture, 49407))) == published


def test_imagereward_s_true_size_accounts_for_the_published_file():
    """ImageReward.pt has 1,786,880,927 bytes: float32 weights, the unused, names and offsets."""
    with torch.device("meta"):
        network = imagereward_module.build(imagereward_module.FULL)
    unused = (1024 * 256 + 256) + (768 * 256 + 256)
    tensors = 4 * (parameters(network) + unused) + 8 * 512
    assert 0 < 1_786_880_927 - tensors < 400 * (len(network.state_dict()) + 5)


def test_tiny_kinds_differ_from_each_other_and_not_from_themselves():
    rewards = {k: {"kind": k, "weights": "tiny"} for k in ("clip", "hps", "imagereward")}
    scores = {k: load_reward(k, rewards)(pictures(1), PROMPT) for k in rewards}
    assert len({round(float(s), 4) for s in scores.values()}) == 3
    again = load_reward("other", {"other": rewards["clip"]})
    assert torch.equal(again(pictures(1), PROMPT), scores["clip"])
