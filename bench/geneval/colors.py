"""GenEval's color classifier: CLIP ViT-L/14, zero-shot over ten colors.

An object is cropped by its box out of the image, gray (#999) outside its mask, and named after the
nearest of ten text embeddings; each is the mean of three templates' unit vectors. The crop is
prepared as CLIP's authors did: the shorter side to 224 pixels by PIL's bicubic filter, the central
square, CLIP's own mean and deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bench.geneval.prompts import COLORS
from bench.rewards.preprocess import MEAN, STD

if TYPE_CHECKING:
    from PIL.Image import Image

TEMPLATES = (
    "a photo of a {color} {name}",
    "a photo of a {color}-colored {name}",
    "a photo of a {color} object",
)
GRAY = 0x99
BATCH = 16  # crops in one call


def crop(pixels: np.ndarray, mask: np.ndarray, box: Sequence[float]) -> Image:
    """The object alone: pixels (H, W, 3) uint8, mask (H, W) bool, box x0, y0, x1, y1."""
    from PIL import Image

    x0, y0, x1, y1 = (round(float(side)) for side in box)
    inside = mask[y0:y1, x0:x1, None]
    return Image.fromarray(np.where(inside, pixels[y0:y1, x0:x1], np.uint8(GRAY)))


def clip_pixels(pictures: Sequence[Image], side: int) -> Tensor:
    """Pictures of any size -> (N, 3, side, side), normalized."""
    from PIL import Image

    squares = []
    for picture in pictures:
        short, (width, height) = min(picture.size), picture.size
        wide, high = side * width // short, side * height // short
        resized = picture.resize((wide, high), Image.Resampling.BICUBIC)
        left, top = round((wide - side) / 2), round((high - side) / 2)
        squares.append(np.asarray(resized.crop((left, top, left + side, top + side))))
    pixels = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    return (pixels - mean) / std


class ColorClassifier:
    """transformers' CLIPModel and its tokenizer. Text classifiers are kept, one a class."""

    def __init__(self, clip: Any, tokenizer: Any):
        self.clip, self.tokenizer = clip.eval().requires_grad_(False), tokenizer
        self.side: int = clip.config.vision_config.image_size
        self._classifiers: dict[str, Tensor] = {}

    @torch.inference_mode()
    def classifier(self, name: str) -> Tensor:
        """Unit vectors (10, d) of the colors of a ``name``, in the order of COLORS."""
        if name not in self._classifiers:
            texts = [t.format(color=color, name=name) for color in COLORS for t in TEMPLATES]
            tokens = self.tokenizer(texts, padding=True, return_tensors="pt").to(self.clip.device)
            embeddings = self.clip.get_text_features(**tokens).pooler_output
            units = F.normalize(embeddings, dim=-1).unflatten(0, (len(COLORS), len(TEMPLATES)))
            self._classifiers[name] = F.normalize(units.mean(1), dim=-1)
        return self._classifiers[name]

    @torch.inference_mode()
    def embed(self, pictures: Sequence[Image]) -> Tensor:
        """Unit vectors (N, d) of pictures of any size."""
        pixels = clip_pixels(pictures, self.side).to(self.clip.device)
        parts = [self.clip.get_image_features(p).pooler_output for p in pixels.split(BATCH)]
        return F.normalize(torch.cat(parts), dim=-1)

    def __call__(self, name: str, pictures: Sequence[Image]) -> list[str]:
        """The color, one of COLORS, of each cropped object of class ``name``."""
        if not pictures:
            return []
        nearest = (self.embed(pictures) @ self.classifier(name).T).argmax(1)
        return [COLORS[i] for i in nearest.tolist()]
