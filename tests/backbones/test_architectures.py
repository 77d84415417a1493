"""Architectures at true size: the parameters of the published models, counted on no memory."""

import pytest
import torch

from bench.backbones.architectures import ARCHITECTURES
from bench.backbones.random_weights import build, component

PUBLISHED = {
    "sd15": (859_520_964, 83_653_863, 123_060_480),
    "sd21": (865_910_724, 83_653_863, 340_387_840),
    "sdxl": (2_567_463_684, 83_653_863, 123_060_480, 694_659_840),
    "flux_dev": (11_901_408_320, 83_819_683, 123_060_480, 4_762_310_656),
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_true_size_has_the_published_number_of_parameters(name):
    architecture = ARCHITECTURES[name](False)
    counted = {}
    with torch.device("meta"):
        for part, (kind, config) in architecture.parts.items():
            module = component(kind, config)
            counted[part] = sum(p.numel() for p in module.parameters())
    assert counted == architecture.counts
    if name in PUBLISHED:
        assert tuple(counted.values()) == PUBLISHED[name]


def test_random_weights_come_from_a_seed_of_their_own():
    architecture, cpu = ARCHITECTURES["sd15"](True), torch.device("cpu")
    before = torch.random.get_rng_state()
    one, two = (build(architecture, torch.float32, cpu) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    weights = [p.unet.conv_in.weight for p in (one, two)]
    assert torch.equal(*weights)
    half = build(architecture, torch.bfloat16, cpu)
    assert {p.dtype for p in half.unet.parameters()} == {torch.bfloat16}
