"""What every pretrained reward promises of its scores, at tiny size."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny import PROMPT, pictures

from bench.rewards import load_reward
from bench.rewards.preprocess import MEAN, STD, prepare, resize
from bench.store.images import from_bytes, to_bytes, to_pil

KINDS = ("imagereward", "clip", "hps", "pickscore", "aesthetic")


def tiny(kind, **settings):
    return load_reward(kind, {kind: {"kind": kind, "weights": "tiny", **settings}})


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_float_type_gives_one_float32_score_an_image(kind, dtype):
    scores = tiny(kind)(pictures(2).to(dtype), PROMPT)
    assert scores.shape == (2,) and scores.dtype == torch.float32
    torch.testing.assert_close(scores, tiny(kind)(pictures(2), PROMPT), rtol=0.02, atol=0.05)


def test_the_batch_size_does_not_change_the_scores(kind):
    images = pictures(5)
    one, two, all_ = (tiny(kind, batch=n)(images, PROMPT) for n in (1, 2, 16))
    torch.testing.assert_close(one, all_, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(two, all_, rtol=1e-4, atol=1e-5)


def test_the_gradient_is_the_score_s_slope_and_reaches_no_weight(kind):
    reward, images = tiny(kind, batch=1), pictures(2).mul(0.8).add(0.1).requires_grad_()
    (slope,) = torch.autograd.grad(reward(images, PROMPT).sum(), images)
    assert slope.isfinite().all() and (slope.flatten(1).norm(dim=1) > 0).all()
    way = 0.05 * slope / slope.norm()
    with torch.no_grad():
        ahead, behind = (reward(images + s * way, PROMPT).double().sum() for s in (1, -1))
    assert float(ahead - behind) / 2 == pytest.approx(float((slope * way).sum()), rel=0.03)
    network = reward.network if kind == "imagereward" else reward.encoder.model
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_bfloat16_runs_on_a_cpu_and_gives_nearly_the_same(kind):
    half = tiny(kind, dtype="bfloat16")(pictures(), PROMPT)
    assert half.dtype == torch.float32
    scale = 15 if kind == "pickscore" else 1
    torch.testing.assert_close(
        half / scale, tiny(kind)(pictures(), PROMPT) / scale, rtol=0, atol=0.05
    )


def test_pickscore_s_scale_keeps_its_precision_in_bfloat16():
    assert tiny("pickscore", dtype="bfloat16").scale == tiny("pickscore").scale


@pytest.mark.parametrize("shape", [(3, 48, 48), (1, 1, 48, 48), (4, 2)])
def test_what_is_no_batch_of_pictures_is_refused(kind, shape):
    with pytest.raises(ValueError, match=r"images must be \(B, 3, H, W\)"):
        tiny(kind)(torch.zeros(shape), PROMPT)


def test_integer_pictures_are_refused(kind):
    with pytest.raises(ValueError, match="floating point"):
        tiny(kind)(torch.zeros(1, 3, 48, 48, dtype=torch.uint8), PROMPT)


def test_building_a_reward_moves_no_other_draw():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_reward("clip", {"clip": {"kind": "clip", "weights": "tiny", "batch": 7}})
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(("height", "width"), [(512, 512), (300, 451), (97, 64), (40, 40)])
def test_preprocessing_is_pil_s_but_for_eight_bits_rounding(height, width):
    """Shorter side to 64, center crop; smooth and hard-edged pictures, shrunk and enlarged."""
    edges = (pictures(1, height, width) > 0.5).float()
    images = from_bytes(to_bytes(torch.cat([pictures(1, height, width), edges])))
    short = min(height, width)
    sides = (64 * width // short, 64 * height // short)
    left, top = (round((side - 64) / 2) for side in sides)
    expected = []
    for image in to_pil(images):
        resized = image.resize(sides, Image.Resampling.BICUBIC)
        cropped = resized.crop((left, top, left + 64, top + 64))
        pixels = np.asarray(cropped, dtype=np.float32) / 255
        expected.append((pixels - np.float32(MEAN)) / np.float32(STD))
    expected = torch.from_numpy(np.stack(expected)).permute(0, 3, 1, 2)
    assert (prepare(images, 64) - expected).abs().max() <= 0.017


def test_a_picture_of_the_tower_s_size_is_left_as_it_is():
    images = pictures(2, 64, 64)
    assert torch.equal(resize(images, 64), images)
