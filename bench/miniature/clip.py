"""The miniature's CLIP: an image tower and a text tower that meet only in a cosine.

A judge beside the reward: other networks, other data, another loss (Radford et al., 2021). Its
image features, being unit vectors, also measure how much images of one caption differ.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.miniature import frozen, words

FEATURES = 128
WIDTH = 128
SIDE = 8  # image tokens along an edge
HEADS = 4


class Mixer(nn.Module):
    """A transformer layer (pre-norm) over image tokens (B, T, WIDTH)."""

    def __init__(self) -> None:
        super().__init__()
        self.attend_norm, self.mlp_norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )

    def forward(self, x: Tensor) -> Tensor:
        split = (3, HEADS, WIDTH // HEADS)
        q, k, v = self.qkv(self.attend_norm(x)).unflatten(-1, split).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-1, -2) / split[2] ** 0.5).softmax(-1)
        x = x + self.out((weights @ v).transpose(1, 2).flatten(2))
        return x + self.mlp(self.mlp_norm(x))


class ImageTower(nn.Module):
    """Patches of 4 x 4 pixels, plain convolutions down to 8 x 8 tokens, two mixing layers, mean."""

    def __init__(self) -> None:
        super().__init__()

        def conv(a: int, b: int, stride: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(a, b, 3, stride, 1), nn.GroupNorm(8, b), nn.GELU()]

        self.patches = nn.Conv2d(3, 64, 6, stride=4, padding=1)
        self.convolve = nn.Sequential(
            nn.GELU(), *conv(64, 64), *conv(64, 64), *conv(64, 128, 2), *conv(128, WIDTH)
        )
        self.positions = nn.Parameter(0.1 * torch.randn(SIDE * SIDE, WIDTH))
        self.mix = nn.Sequential(Mixer(), Mixer(), nn.LayerNorm(WIDTH))
        self.project = nn.Linear(WIDTH, FEATURES)

    def tokens(self, images: Tensor) -> Tensor:
        """Images (B, 3, 64, 64) in [0, 1] -> (B, 64, WIDTH), before they mix."""
        return self.convolve(self.patches(images * 2 - 1)).flatten(2).transpose(1, 2)

    def pool(self, tokens: Tensor) -> Tensor:
        """Tokens -> unit vectors (B, FEATURES)."""
        mixed = self.mix(tokens + self.positions).mean(1)
        return F.normalize(self.project(mixed).float(), dim=-1)


class TextTower(nn.Module):
    """Word embeddings and a two-layer GRU; the mean of its outputs over the words."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(len(words.vocabulary()), WIDTH)
        self.read = nn.GRU(WIDTH, WIDTH, num_layers=2, batch_first=True)
        self.project = nn.Linear(2 * WIDTH, FEATURES)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (B, L), zeros at the end are padding -> unit vectors (B, FEATURES)."""
        there = (ids > 0).unsqueeze(-1)
        seen = self.embed(ids)
        both = torch.cat([seen, self.read(seen)[0]], dim=-1)
        mean = (both * there).sum(1) / there.sum(1)
        return F.normalize(self.project(mean).float(), dim=-1)


class ClipNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image, self.text = ImageTower(), TextTower()

    def features(self, images: Tensor) -> Tensor:
        """Unit vectors (B, FEATURES) of images (B, 3, 64, 64) in [0, 1]."""
        return self.image.pool(self.image.tokens(images))


class MiniatureClip(frozen.Scorer):
    """Cosine of image and caption features."""

    name = "clip"
    network = ClipNet

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """Cosines (B,) float32 in [-1, 1] of images (B, 3, 64, 64) in [0, 1] and a prompt.

        Raises ValueError for another shape or type, an empty prompt or more than 16 words.
        """
        ids = torch.tensor([words.encode(prompt)], device=images.device)
        return (self.features(images) @ self.net.text(ids)[0]).clamp(-1, 1)

    def features(self, images: Tensor) -> Tensor:
        """Unit vectors (B, 128) float32 of images (B, 3, 64, 64) in [0, 1], any float type."""
        return self.net.features(frozen.check_images(images))
