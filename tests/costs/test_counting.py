"""Operations of the true architectures, held against formulas and against what is computed."""

import pytest
import torch
from layers import by_layers

from bench.backbones import load_backbone
from bench.backbones.architectures import ARCHITECTURES
from bench.backbones.random_weights import component
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.costs import parts
from bench.costs.devices import DEVICES
from bench.costs.model import Assumptions, flops, seconds
from bench.costs.operations import ATTENTION, CONVOLUTION, LINEAR, Counting, Operation
from bench.rewards import load_reward
from bench.run import counted
from bench.run.counted import warning


def of(name, *others):
    return cell_settings([f"backbone={name}", *others], [])


@pytest.fixture(scope="module")
def sd15():
    return parts.of_pipeline(parts.true_sizes(of("sd15")["backbone"]))


def kinds(operations):
    found = dict.fromkeys((LINEAR, CONVOLUTION, ATTENTION), 0)
    for op, count in operations.items():
        if op.flops:
            found[op.kind] += op.flops * count
    return found


@pytest.mark.parametrize(
    ("part", "kind", "published"), [("unet", "denoiser", 0.80), ("vae", "decode", 2.51)]
)
def test_a_call_of_stable_diffusion_is_the_sum_over_its_layers(
    part, kind, published, sd15, monkeypatch
):
    with parts.without_data():
        module = component(*ARCHITECTURES["sd15"](False).parts[part])
        x, text = torch.zeros(1, 4, 64, 64), torch.zeros(1, 77, 768)
        calls = {"unet": lambda: module(x, torch.zeros(1), text), "vae": lambda: module.decode(x)}
        found = by_layers(calls[part], module, monkeypatch)
    assert kinds(sd15[kind]) == pytest.approx(dict(found), rel=0.01)
    assert flops(sd15[kind]) == pytest.approx(sum(found.values()) / 1e12, rel=0.01)
    assert flops(sd15[kind]) == pytest.approx(published, rel=0.01)


# BLIP's attention is not fused: (queries, keys, width, layers) of its towers and between them.
BLIP = [(197, 197, 1024, 24), (35, 35, 768, 12), (35, 197, 768, 12)]


@pytest.mark.parametrize(
    ("name", "tower", "unfused"), [("clip", "encoder", []), ("imagereward", "network", BLIP)]
)
def test_a_reward_is_the_sum_over_its_layers(name, tower, unfused, monkeypatch):
    rewards, images = of("sd15")["rewards"], (1, 3, 512, 512)
    operations = parts.of_true_reward(name, rewards, 512)
    with parts.without_data():
        reward = parts.true_reward(rewards[name])
        module = getattr(reward, tower)
        reward(torch.zeros(images), parts.PROMPT)  # what it keeps of the prompt
        found = by_layers(
            lambda: reward(torch.zeros(images), parts.PROMPT),
            getattr(module, "model", module),
            monkeypatch,
        )
    found["attention"] += sum(4 * q * k * width * layers for q, k, width, layers in unfused)
    total = sum(found.values()) / 1e12
    assert kinds(operations["reward"]) == pytest.approx(dict(found), rel=0.01)
    assert flops(operations["reward"]) == pytest.approx(total, rel=0.01)
    assert 0.1 < total < 0.2


def test_a_derivative_costs_one_product_for_each_forward_one_and_attention_more():
    weight = torch.zeros(8, 3, 3, 3)
    x = torch.zeros(1, 3, 10, 10, requires_grad=True)
    with Counting(x) as forward:
        made = torch.nn.functional.conv2d(x, weight, padding=1)
    with Counting(made) as backward:
        torch.autograd.grad(made.sum(), x)
    assert kinds(forward.found)[CONVOLUTION] == 2 * 8 * 100 * 27
    assert kinds(backward.found)[CONVOLUTION] == 2 * 8 * 100 * 27
    query = torch.zeros(1, 2, 16, 8, requires_grad=True)
    with Counting(query) as forward:
        made = torch.nn.functional.scaled_dot_product_attention(query, query, query)
    with Counting(made) as backward:
        torch.autograd.grad(made.sum(), query)
    assert kinds(forward.found)[ATTENTION] == 2 * 2 * 2 * 16 * 16 * 8
    assert kinds(backward.found)[ATTENTION] == 5 * 2 * 2 * 16 * 16 * 8  # the scores again


def test_bytes_are_of_weights_that_are_shared_and_of_what_every_sample_moves():
    x, weight = torch.zeros(4, 16), torch.zeros(16, 32)
    with Counting(x) as counted:
        y = (x @ weight).view(2, 64)
        y + 1
    product, addition = counted.found
    assert (product.kind, product.weights, product.moved) == (LINEAR, 4 * 512, 4 * (64 + 128))
    assert (addition.flops, addition.weights, addition.moved) == (0, 0, 4 * 256)


@pytest.mark.parametrize("name", ["sd15", "flux_dev"])
def test_what_is_counted_without_data_is_what_loaded_models_compute(name, monkeypatch):
    settings = of(name, "weights=tiny")
    backbone = load_backbone(settings["backbone"], "cpu")[0]
    reward = load_reward("clip", settings["rewards"])
    images, prompt = torch.rand(2, 3, 16, 16), "a photo of a dog"
    before = reward(images, prompt)
    computed = parts.flops_of(backbone, reward)
    monkeypatch.setattr(parts, "SMALL", 0)
    assert parts.flops_of(backbone, reward) == computed
    assert set(computed) == set(parts_kinds())
    assert torch.equal(reward(images, prompt), before), "no tensor without data is left behind"


def parts_kinds():
    return [
        f"{part}{way}" for part in ("denoiser", "decode", "reward") for way in ("", "_backward")
    ]


def test_seconds_are_the_longer_of_computing_and_moving():
    a100 = DEVICES["a100"]

    def one(kind, dtype, work, weights=0, moved=0, **given):
        operation = {Operation(kind, dtype, work, weights, moved): 1}
        return seconds(operation, a100, Assumptions(**given))

    assert one(LINEAR, "float16", 312e12) == pytest.approx(1)
    assert one(CONVOLUTION, "float32", 156e12) == pytest.approx(1), "TF32"
    assert one(LINEAR, "float32", 19.5e12) == pytest.approx(1), "no TF32"
    assert one(LINEAR, "float32", 156e12, tf32=True) == pytest.approx(1)
    assert one(LINEAR, "float16", 1e9, moved=2039e9) == pytest.approx(1)
    assert one(LINEAR, "float16", 1e9, weights=2039e9, together=4) == pytest.approx(1 / 4)
    assert one(LINEAR, "float16", 312e12, moved=9e15, bytes=False) == pytest.approx(1)


def test_random_weights_on_a_cpu_are_told_to_take_long(monkeypatch):
    toy = ["judge=none", "scores=[]", "prompts.limit=2", "yardstick_every=2", "device=cpu"]
    cell = make_cell(of("sd15", "weights=random", "method=ug", *toy))
    monkeypatch.setattr(counted, "products_per_second", lambda: 50e9)
    told = warning([cell])
    # 3,588 TFLOP a prompt, and vanilla's 653 on one of the two.
    assert "about 43 hours or more for 2 prompts" in told and "50 GFLOP/s" in told
    tiny = make_cell(of("sd15", "weights=tiny", "method=ug", *toy))
    assert warning([tiny]) is None
