"""UDLM's network: what its logits mean, its loss, its files, the published layout."""

import json
import math
from dataclasses import astuple

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from bench.errors import BenchError
from bench.molecules.published import SIZES, SPECIAL, load_published, published_udlm
from bench.molecules.smiles import Vocabulary
from bench.molecules.table import built_in
from bench.molecules.udlm import (
    UdlmNetwork,
    UdlmSize,
    gain,
    load_udlm,
    posterior,
    save_udlm,
)
from training.udlm import loss, noised, sample

SIZE = UdlmSize(letters=6, length=5, width=16, condition=12, blocks=2, heads=2)


def one_hot(tokens, letters):
    return F.one_hot(tokens, letters).double()


def random_network(size=SIZE, seed=0):
    """No layer at zero, where training starts."""
    generator = torch.Generator().manual_seed(seed)
    network = UdlmNetwork(size)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=generator)
    return network.eval().requires_grad_(False)


def test_the_posterior_of_a_leave_one_out_prediction_is_exact():
    generator = torch.Generator().manual_seed(1)
    letters, length, kept = 4, 3, torch.tensor(0.35, dtype=torch.float64)
    strings = torch.cartesian_prod(*[torch.arange(letters)] * length)
    prior = torch.rand(len(strings), generator=generator, dtype=torch.float64)
    tokens = torch.randint(letters, (8, length), generator=generator)
    match = strings[None] == tokens[:, None]  # (B, N, L)
    likelihood = torch.where(match, kept + (1 - kept) / letters, (1 - kept) / letters)
    whole = likelihood.prod(-1)
    clean = one_hot(strings, letters)
    exact = torch.einsum("bn,n,nlk->blk", whole, prior, clean)
    apart = torch.einsum("bnl,n,nlk->blk", whole[..., None] / likelihood, prior, clean)
    found = posterior(apart.log(), tokens, gain(kept, letters))
    assert torch.allclose(found, exact / exact.sum(-1, keepdim=True), atol=1e-12)


def test_tokens_are_kept_in_proportion_to_time_and_else_drawn_uniformly():
    generator = torch.Generator().manual_seed(3)
    clean = torch.full((2, 40_000), 3)
    noisy = noised(clean, torch.tensor([0.0, 0.6]), 5, generator)
    assert (noisy[0] == 3).all()
    shares = torch.bincount(noisy[1], minlength=5) / 40_000
    assert torch.allclose(shares, torch.tensor([0.12, 0.12, 0.12, 0.52, 0.12]), atol=0.01)


def test_the_loss_is_that_of_the_posterior_not_of_the_networks_own_output():
    """Without a hint from the network, a letter still speaks for itself."""
    network = UdlmNetwork(SIZE)  # all logits are zero before training
    clean = torch.zeros(1_000, 5, dtype=torch.int64)
    found = loss(network, clean, torch.Generator().manual_seed(4)).item()
    t = torch.arange(0.0005, 1, 0.001)
    own, other = 1 - t + t / 6, t / 6
    expected = -(own * own.log() + 5 * other * other.log()).mean().item()
    assert found == pytest.approx(expected, rel=0.03) and expected < 0.7 * math.log(6)


def test_a_file_of_weights_holds_the_network_and_its_vocabulary(tmp_path):
    network, vocabulary = random_network(), Vocabulary(("_", *"(CNO)"), 5)
    save_udlm(network, vocabulary, tmp_path / "udlm.safetensors")
    again, letters = load_udlm(tmp_path / "udlm.safetensors")
    assert letters == vocabulary and again.size == SIZE
    tokens, t = torch.tensor([[0, 1, 2, 3, 4]]), torch.tensor([0.4])
    assert torch.allclose(again(tokens, t), network(tokens, t), atol=0.1)
    save_file(again.state_dict(), tmp_path / "bare.safetensors")
    with pytest.raises(BenchError, match="tells no sizes of a UDLM"):
        load_udlm(tmp_path / "bare.safetensors")
    with pytest.raises(BenchError, match=r"none\.safetensors is missing"):
        load_udlm(tmp_path / "none.safetensors")


def test_the_built_in_weights_fit_the_table_and_mostly_write_its_molecules():
    network, vocabulary = load_udlm()
    assert vocabulary == built_in().vocabulary
    tokens = sample(network, 32, 32, torch.Generator().manual_seed(6))
    known = [string in built_in().index for string in vocabulary.decode(tokens)]
    assert sum(known) / 32 > 0.3


def published_state(size, seed=7):
    """Every tensor of the published layout, by the names and shapes that its files have."""
    width, c = size.width, size.condition
    shapes = {
        "vocab_embed.embedding": (size.letters, width),
        "sigma_map.mlp.0.weight": (c, 256),
        "sigma_map.mlp.0.bias": (c,),
        "sigma_map.mlp.2.weight": (c, c),
        "sigma_map.mlp.2.bias": (c,),
        "rotary_emb.inv_freq": (width // size.heads // 2,),
        "output_layer.norm_final.weight": (width,),
        "output_layer.linear.weight": (size.letters, width),
        "output_layer.linear.bias": (size.letters,),
        "output_layer.adaLN_modulation.weight": (2 * width, c),
        "output_layer.adaLN_modulation.bias": (2 * width,),
    }
    for block in range(size.blocks):
        for name, shape in {
            "norm1.weight": (width,),
            "attn_qkv.weight": (3 * width, width),
            "attn_out.weight": (width, width),
            "norm2.weight": (width,),
            "mlp.0.weight": (4 * width, width),
            "mlp.0.bias": (4 * width,),
            "mlp.2.weight": (width, 4 * width),
            "mlp.2.bias": (width,),
            "adaLN_modulation.weight": (6 * width, c),
            "adaLN_modulation.bias": (6 * width,),
        }.items():
            shapes[f"blocks.{block}.{name}"] = shape
    generator = torch.Generator().manual_seed(seed)
    return {
        f"backbone.{name}": 0.3 * torch.randn(shape, generator=generator)
        for name, shape in shapes.items()
    }


def by_hand(state, size, tokens, t):
    """The published network's logits of one string, from its tensors: attention head by head."""
    w = {name.removeprefix("backbone."): tensor for name, tensor in state.items()}
    sigma = -math.log(1 - (1 - 1e-3) * t)
    angles = sigma * 10_000 ** (-torch.arange(128) / 128)
    c = torch.cat([angles.cos(), angles.sin()])
    c = w["sigma_map.mlp.2.weight"] @ F.silu(
        w["sigma_map.mlp.0.weight"] @ c + w["sigma_map.mlp.0.bias"]
    )
    c = F.silu(c + w["sigma_map.mlp.2.bias"])

    def changed(x, norm, shift, scale):
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, correction=0, keepdim=True) + 1e-5).sqrt()
        return x * w[norm] * (1 + scale) + shift

    x = w["vocab_embed.embedding"][tokens]
    length, part = len(tokens), size.width // size.heads
    turn = torch.outer(torch.arange(length), 10_000 ** (-torch.arange(0, part, 2) / part))

    def turned(y):  # the halves of a head are real and imaginary parts
        y = torch.complex(y[:, : part // 2], y[:, part // 2 :]) * torch.polar(torch.ones(()), turn)
        return torch.cat([y.real, y.imag], -1)

    for block in range(size.blocks):
        b = f"blocks.{block}."
        change = w[b + "adaLN_modulation.weight"] @ c + w[b + "adaLN_modulation.bias"]
        change = change.view(6, -1)
        q, k, v = (
            w[b + "attn_qkv.weight"] @ changed(x, b + "norm1.weight", *change[:2]).T
        ).T.chunk(3, -1)
        mixed = []
        for head in range(size.heads):
            at = slice(head * part, (head + 1) * part)
            scores = turned(q[:, at]) @ turned(k[:, at]).T / part**0.5
            mixed.append(scores.softmax(-1) @ v[:, at])
        x = x + change[2] * (torch.cat(mixed, -1) @ w[b + "attn_out.weight"].T)
        y = changed(x, b + "norm2.weight", *change[3:5])
        y = F.gelu(y @ w[b + "mlp.0.weight"].T + w[b + "mlp.0.bias"], approximate="tanh")
        x = x + change[5] * (y @ w[b + "mlp.2.weight"].T + w[b + "mlp.2.bias"])
    o = "output_layer."
    change = (w[o + "adaLN_modulation.weight"] @ c + w[o + "adaLN_modulation.bias"]).view(2, -1)
    x = changed(x, o + "norm_final.weight", *change)
    return x @ w[o + "linear.weight"].T + w[o + "linear.bias"]


def test_a_published_checkpoint_means_here_what_its_layout_says():
    state, network = published_state(SIZE), UdlmNetwork(SIZE)
    load_published(network, state, "it")
    tokens, t = torch.tensor([[5, 0, 2, 2, 4], [1, 3, 0, 5, 5]]), torch.tensor([0.3, 0.95])
    found = network.eval()(tokens, t)
    for row in range(2):
        expected = by_hand(state, SIZE, tokens[row], t[row].item())
        assert torch.allclose(found[row], expected, atol=1e-4)


def download(folder, words, letters, **changes):
    size = UdlmSize(letters, 6, 16, 12, 2, 2)
    config = dict(zip(SIZES, astuple(size), strict=True)) | changes
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.json").write_text(json.dumps(words))
    save_file(published_state(size), folder / "model.safetensors")


@pytest.mark.parametrize("letters", [7, 12])
def test_a_published_folder_gives_network_and_tokens(tmp_path, letters):
    """Both forms of a tokenizer's file: with the special tokens, and without."""
    words = {"O": 1, "C": 0} if letters == 7 else {w: i for i, w in enumerate((*SPECIAL, "C", "O"))}
    download(tmp_path, words, letters)
    network, vocabulary = published_udlm(tmp_path)
    tokens = vocabulary.encode(["CO", "OCC"])
    c, o = letters - 2, letters - 1
    assert tokens.tolist() == [[0, c, o, 1, 3, 3], [0, o, c, c, 1, 3]]
    assert vocabulary.decode(tokens) == ["CO", "OCC"]
    assert network(tokens, torch.tensor([0.1, 0.9])).shape == (2, 6, letters)


def test_a_published_folder_that_does_not_fit_is_refused(tmp_path):
    with pytest.raises(BenchError, match=r"config\.json is missing"):
        published_udlm(tmp_path)
    download(tmp_path, {"C": 0}, 7)
    with pytest.raises(BenchError, match="has 1 letters beside the 5 special tokens"):
        published_udlm(tmp_path)
    download(tmp_path, {"C": 0}, 6, cfg=True)
    with pytest.raises(BenchError, match="class labels or without times"):
        published_udlm(tmp_path)
    download(tmp_path, {"C": 0}, 6, n_blocks=3)
    with pytest.raises(BenchError, match=r"10 keys missing: blocks\.2\."):
        published_udlm(tmp_path)
