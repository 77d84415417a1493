"""UDLM's denoiser (Schiff et al., arXiv 2412.10193): a small bidirectional transformer.

Its layers and their names are those of the published checkpoints, so that one class serves the
built-in weights and the published ones: rotary attention and a feed-forward layer a block, each
with a shift, a scale and a gate made from the noise level.

The network's output is not the posterior of a token given the whole noisy string. Its optimum
under UDLM's bound leaves a position's own letter out: u = p(x_0^l | x_t without l).
``posterior`` puts that letter back.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from bench.errors import BenchError
from bench.tokens.smiles import Vocabulary
from bench.weights.files import fill, read_tensors

WEIGHTS = Path(__file__).with_name("weights") / "udlm.safetensors"

TIME_FEATURES = 256
LEAST_KEPT = 1e-3  # what UDLM's noise schedule leaves of the string at t = 1


@dataclass(frozen=True)
class UdlmSize:
    """What fixes a network's shapes; ``length`` is that of the strings it was trained on."""

    letters: int
    length: int
    width: int
    condition: int
    blocks: int
    heads: int


class UdlmNetwork(nn.Module):
    """Tokens (B, L) at times (B,) in [0, 1] to logits (B, L, K) of u."""

    def __init__(self, size: UdlmSize):
        super().__init__()
        self.size = size
        self.vocab_embed = _Letters(size)
        self.sigma_map = _NoiseLevel(size)
        self.blocks = nn.ModuleList(_Block(size) for _ in range(size.blocks))
        self.output_layer = _Output(size)

    def forward(self, tokens: Tensor, t: Tensor) -> Tensor:
        condition = F.silu(self.sigma_map(t))
        x = self.vocab_embed.embedding[tokens]
        rotation = _rotation(tokens.shape[1], self.size.width // self.size.heads, x)
        for block in self.blocks:
            x = block(x, condition, rotation)
        return self.output_layer(x, condition)


def gain(kept: Tensor, letters: int) -> Tensor:
    """g = log(1 + K a/(1 - a)): how much likelier a letter of x_t is for being seen there."""
    return torch.log1p(letters * kept / (1 - kept))


def posterior(logits: Tensor, tokens: Tensor, gain: Tensor) -> Tensor:
    """p(x_0^l | x_t), (B, L, K), from the logits of u and a gain that broadcasts to (B, L)."""
    own = F.one_hot(tokens, logits.shape[-1]).to(logits.dtype)
    return torch.softmax(logits + gain[..., None] * own, -1)


def save_udlm(network: UdlmNetwork, vocabulary: Vocabulary, path: Path) -> None:
    """Write the weights as float16, with the sizes and letters in the file's metadata."""
    config = {"size": asdict(network.size), "letters": vocabulary.letters}
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {k: v.detach().to(torch.float16).contiguous() for k, v in network.state_dict().items()}
    save_file(state, path, metadata={"udlm": json.dumps(config)})
    path.chmod(0o644)


def load_udlm(path: Path = WEIGHTS) -> tuple[UdlmNetwork, Vocabulary]:
    """The network in float32, ready to sample, and its vocabulary. Raises BenchError."""
    state = read_tensors(path, "write it with `python -m training udlm`, or fetch it again")
    with safe_open(path, framework="pt") as file:
        config = json.loads((file.metadata() or {}).get("udlm", "null"))
    if config is None:
        raise BenchError(f"the file {path} tells no sizes of a UDLM: write it with save_udlm")
    size = UdlmSize(**config["size"])
    network = UdlmNetwork(size)
    fill(network, state, f"the file {path}")
    return network.eval().requires_grad_(False), Vocabulary(tuple(config["letters"]), size.length)


class _Letters(nn.Module):
    def __init__(self, size: UdlmSize):
        super().__init__()
        bound = 1 / math.sqrt(size.width)
        self.embedding = nn.Parameter(torch.empty(size.letters, size.width).uniform_(-bound, bound))


class _NoiseLevel(nn.Module):
    """Sines and cosines of sigma = -log(share of the letters kept), then two layers."""

    def __init__(self, size: UdlmSize):
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(TIME_FEATURES, size.condition),
            nn.SiLU(),
            nn.Linear(size.condition, size.condition),
        )

    def forward(self, t: Tensor) -> Tensor:
        sigma = -torch.log1p(-(1 - LEAST_KEPT) * t)
        half = TIME_FEATURES // 2
        steps = torch.arange(half, dtype=t.dtype, device=t.device)
        angles = sigma[:, None] * torch.exp(-math.log(10_000) / half * steps)
        features = torch.cat([angles.cos(), angles.sin()], -1)
        return self.mlp(features)


class _Block(nn.Module):
    def __init__(self, size: UdlmSize):
        super().__init__()
        width = size.width
        self.heads = size.heads
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.attn_qkv = nn.Linear(width, 3 * width, bias=False)
        self.attn_out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )
        self.adaLN_modulation = _zero(nn.Linear(size.condition, 6 * width))

    def forward(self, x: Tensor, condition: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        changes = self.adaLN_modulation(condition)[:, None].chunk(6, -1)
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = changes
        x = x + gate_a * self._attend(self.norm1(x) * (1 + scale_a) + shift_a, rotation)
        return x + gate_m * self.mlp(self.norm2(x) * (1 + scale_m) + shift_m)

    def _attend(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
        parts = self.attn_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key = (_rotate(part, rotation) for part in parts[:2])
        mixed = F.scaled_dot_product_attention(query, key, parts[2])
        return self.attn_out(mixed.transpose(1, 2).flatten(2))


class _Output(nn.Module):
    def __init__(self, size: UdlmSize):
        super().__init__()
        self.norm_final = nn.LayerNorm(size.width, bias=False)
        self.linear = _zero(nn.Linear(size.width, size.letters))
        self.adaLN_modulation = _zero(nn.Linear(size.condition, 2 * size.width))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(condition)[:, None].chunk(2, -1)
        return self.linear(self.norm_final(x) * (1 + scale) + shift)


def _rotation(length: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines and sines (L, width / 2) of the positions' angles."""
    exponents = torch.arange(0, width, 2, device=like.device, dtype=torch.float32) / width
    positions = torch.arange(length, device=like.device, dtype=torch.float32)
    angles = positions[:, None] / 10_000**exponents
    return angles.cos().to(like.dtype), angles.sin().to(like.dtype)


def _rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = rotation
    first, second = x.chunk(2, -1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)


def _zero(layer: nn.Linear) -> nn.Linear:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
