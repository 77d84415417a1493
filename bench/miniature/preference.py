"""The miniature's reward: how well an image of icons fits a caption.

BLIP's image-text matching (Li et al., 2022) in miniature, and ImageReward's role: a convolutional
network makes image tokens, the caption's words attend to one another and to these tokens, and
every word votes on the fit; the score is the sum of the votes.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from bench.miniature import frozen, words
from methods.transfer import over

DIM, HEADS, LAYERS = 96, 4, 3
RANK = 32
CHANNELS = (32, 64, 128)
SIDE = 8  # image tokens along an edge


class Residual(nn.Module):
    """Two 3 x 3 convolutions around an activation, added to their input."""

    def __init__(self, channels: int, activation: type[nn.Module]):
        super().__init__()
        self.activation = activation()
        self.norm = nn.GroupNorm(8, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(self.activation(self.first(self.norm(x))))


class Attention(nn.Module):
    """Multi-head attention as plain matrix products, the quickest for sequences this short."""

    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(DIM, DIM)
        self.key_value = nn.Linear(DIM, 2 * DIM)
        self.out = nn.Linear(DIM, DIM)

    def forward(
        self, x: Tensor, context: Tensor, hidden: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """x (N, L, DIM) attends to context (N, S, DIM); ``hidden`` (N, S) is true on padding.

        Returns what is read, (N, L, DIM), and where: weights (N, L, S), the mean of the heads.
        """
        split = (HEADS, DIM // HEADS)
        q = self.query(x).unflatten(-1, split).transpose(1, 2)
        k, v = self.key_value(context).unflatten(-1, (2, *split)).permute(2, 0, 3, 1, 4)
        logits = q @ k.transpose(-1, -2) / split[1] ** 0.5
        if hidden is not None:
            logits = logits.masked_fill(hidden[:, None, None], -1e4)
        weights = logits.softmax(-1)
        return self.out((weights @ v).transpose(1, 2).flatten(2)), weights.mean(1)


class Layer(nn.Module):
    """Words attend to words, then to the image, then each is transformed by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(DIM) for _ in range(3))
        self.words, self.image = Attention(), Attention()
        self.mlp = nn.Sequential(nn.Linear(DIM, 3 * DIM), nn.GELU(), nn.Linear(3 * DIM, DIM))

    def forward(self, x: Tensor, image: Tensor, padding: Tensor) -> tuple[Tensor, Tensor]:
        """x (N, C, L, DIM): C captions for each image; image (N, S, DIM); padding (N, C, L).

        Returns the words' new states and where each looked in the image, (N, C, L, S).
        """
        captions = x.shape[1]
        y = self.norms[0](x).flatten(0, 1)
        x = x + self.words(y, y, padding.flatten(0, 1))[0].unflatten(0, (-1, captions))
        read, gaze = self.image(self.norms[1](x).flatten(1, 2), image)
        x = x + read.unflatten(1, (captions, -1))
        return x + self.mlp(self.norms[2](x)), gaze.unflatten(1, (captions, -1))


class Reading(NamedTuple):
    """N images read against C captions of L words: raw scores (N, C); where each word looked in
    the middle layer, (N, C, L, 65); the words' last states (N, C, L, DIM)."""

    scores: Tensor
    gaze: Tensor
    states: Tensor


class Vote(nn.Module):
    """A word's vote: a quadratic form of its state, so that "the color that I name is the color
    that I saw" is one product, not something an MLP must piece together."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(DIM, 1)
        self.left, self.right = nn.Linear(DIM, RANK), nn.Linear(DIM, RANK)
        nn.init.zeros_(self.left.weight)
        nn.init.zeros_(self.left.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x).squeeze(-1) + (self.left(x) * self.right(x)).sum(-1)


class PreferenceNet(nn.Module):
    """Image tokens, words, votes. ``mean`` and ``std`` (buffers) standardise the score: they are
    the raw score's over held-out pairs, half of them matched and half corrupted."""

    mean: Tensor
    std: Tensor

    def __init__(self, activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        a, b, c = CHANNELS
        self.image = nn.Sequential(
            nn.Conv2d(3, a, 5, stride=2, padding=2),
            activation(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            Residual(b, activation),
            Residual(b, activation),
            nn.Conv2d(b, c, 3, stride=2, padding=1),
            Residual(c, activation),
            Residual(c, activation),
            nn.Conv2d(c, DIM, 1),
        )
        self.image_norm = nn.LayerNorm(DIM)
        self.summary = nn.Linear(DIM, DIM)
        self.image_positions = nn.Parameter(_ramps())
        self.embed = nn.Embedding(len(words.vocabulary()), DIM)
        nn.init.normal_(self.embed.weight, std=0.3)
        self.word_positions = nn.Parameter(0.02 * torch.randn(words.MAX_WORDS, DIM))
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(DIM)
        self.vote = Vote()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("std", torch.ones(()))

    def look(self, images: Tensor) -> Tensor:
        """Images (N, 3, 64, 64) in [0, 1] -> one token a cell of 8 x 8 pixels and a summary,
        (N, 65, DIM)."""
        cells = self.image_norm(self.image(images * 2 - 1).flatten(2).transpose(1, 2))
        summary = self.summary(cells.mean(1, keepdim=True))
        return torch.cat([cells + self.image_positions, summary], dim=1)

    def compare(self, tokens: Tensor, ids: Tensor) -> Reading:
        """N images' tokens against C captions each, ids (N, C, L)."""
        padding = ids == 0
        x = self.embed(ids) + self.word_positions[: ids.shape[-1]]
        gazes = []
        for layer in self.layers:
            x, gaze = layer(x, tokens, padding)
            gazes.append(gaze)
        states = self.norm(x)
        votes = self.vote(states).float().masked_fill(padding, 0)
        return Reading(votes.sum(-1), gazes[LAYERS // 2], states)

    def forward(self, images: Tensor, ids: Tensor) -> Tensor:
        """Standardised scores (N, C) of images (N, 3, 64, 64) for captions (N, C, L)."""
        return (self.compare(self.look(images), ids).scores - self.mean) / self.std


def _ramps() -> Tensor:
    """Position embeddings (64, DIM) that start as x and y in [-1, 1] and their products."""
    line = torch.linspace(-1, 1, SIDE)
    y, x = (t.flatten() for t in torch.meshgrid(line, line, indexing="ij"))
    start = 0.02 * torch.randn(SIDE * SIDE, DIM)
    start[:, :5] += torch.stack([x, y, x * y, x * x, y * y], dim=-1)
    return start


class Preference(frozen.Scorer):
    """The reward. A score of 0 is the average over matched and mismatched pairs, 1 is one
    standard deviation better; differentiable in the image."""

    name = "preference"
    network: ClassVar[type[PreferenceNet]] = PreferenceNet

    def __call__(self, images: Tensor, prompt: str) -> Tensor:
        """Scores (B,) float32 of images (B, 3, 64, 64) in [0, 1], any float type, for a prompt.

        Raises ValueError for another shape or type, an empty prompt or more than 16 words.
        """
        images = frozen.check_images(images)
        ids = over(torch.tensor(words.encode(prompt)), images.device)
        return self.net(images, ids.expand(len(images), 1, -1)).squeeze(1)
