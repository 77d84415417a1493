"""The miniature's GenEval judge: a small centre-point detector with a colour head.

One fully convolutional network maps an image to a 16 x 16 map (stride 4). Every cell carries a
logit "the centre of a whole object lies here", 80 class logits, a box and 10 colour logits. This
is the centre-point idea of Zhou et al., "Objects as Points", 2019, with two changes: one
objectness map times a softmax over classes in place of one map a class, so that a half-formed
or morphed glyph has a place to be called nothing; and a score that is calibrated, so that 0.9
means right nine times in ten among peaks of whole and deliberately spoiled glyphs alike.

Training is in ``training.judge``; the weights are part of the package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.geneval.detector import Detections
from bench.geneval.prompts import CLASSES, COLORS
from bench.geneval.selftest import prove
from bench.miniature import frozen
from bench.miniature.frozen import SIZE, WEIGHTS
from bench.miniature.golden import pictures

FILE = "judge.safetensors"
STRIDE = 4
CELLS = SIZE // STRIDE
BOX_UNIT = 16.0  # pixels per unit of box output
FLOOR = 0.05  # scores below it are not reported
CHUNK = 128  # images per forward pass


class Block(nn.Module):
    """Residual block: group normalisation, then two 3 x 3 convolutions with ReLUs before them."""

    def __init__(self, width: int):
        super().__init__()
        self.norm = nn.GroupNorm(8, width)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.relu(self.conv1(F.relu(self.norm(x)))))


class Network(nn.Module):
    """Images (B, 3, 64, 64) in [0, 1] to a map (B, 1 + 80 + 4 + 10, 16, 16); see ``split``."""

    calibration: Tensor

    def __init__(self, widths: tuple[int, int, int] = (32, 96, 144)):
        super().__init__()
        low, mid, high = widths
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, low, 3, padding=1))
        self.fine = Block(low)
        self.down1 = nn.Conv2d(low, mid, 3, stride=2, padding=1)
        self.middle = Block(mid)
        self.down2 = nn.Conv2d(mid, high, 3, stride=2, padding=1)
        self.coarse = nn.Sequential(Block(high), Block(high))
        self.lateral = nn.Conv2d(high, mid, 1)
        self.merge = Block(mid)
        self.norm = nn.GroupNorm(8, mid)
        self.head = nn.Conv2d(mid, 1 + len(CLASSES) + 4 + len(COLORS), 1)
        self.register_buffer("calibration", torch.tensor([1.0, 0.0]))
        with torch.no_grad():
            assert self.head.bias is not None
            self.head.bias[0] = -4.0  # few cells are centres

    def forward(self, images: Tensor) -> Tensor:
        middle = self.middle(self.down1(self.fine(self.stem(4 * images - 3))))
        coarse = self.lateral(self.coarse(self.down2(middle)))
        merged = self.merge(middle + F.interpolate(coarse, scale_factor=2.0, mode="nearest"))
        return self.head(F.relu(self.norm(merged)))


def split(output: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A network output's four parts, in float32.

    Objectness (B, 16, 16), classes (B, 80, 16, 16), box corners' offsets from the cell centre
    (B, 4, 16, 16) in units of 16 pixels, and colours (B, 10, 16, 16).
    """
    parts = output.float().split((1, len(CLASSES), 4, len(COLORS)), dim=1)
    return parts[0][:, 0], parts[1], parts[2], parts[3]


def peaks(output: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Local maxima of objectness over 3 x 3 cells: image, row, column, class, raw logit.

    The logit is that of objectness times the best class's probability, before calibration.
    """
    objectness, classes, _, _ = split(output)
    highest = F.max_pool2d(objectness[:, None], 3, stride=1, padding=1)[:, 0]
    image, row, column = torch.nonzero((objectness == highest) & (objectness > -6), as_tuple=True)
    share, name = classes.softmax(1)[image, :, row, column].max(-1)
    score = objectness[image, row, column].sigmoid() * share
    return image, row, column, name, torch.logit(score, eps=1e-6)


def boxes_at(output: Tensor, image: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """Boxes (n, 4) of x0, y0, x1, y1 in pixels predicted at the given cells."""
    offsets = split(output)[2][image, :, row, column] * BOX_UNIT
    centre = (torch.stack([column, row], -1) + 0.5) * STRIDE
    return (centre.repeat(1, 2) + offsets).clamp(0, SIZE)


class MiniatureJudge:
    """Detector and colour classifier for 64 x 64 icon scenes, in the protocol's terms.

    ``thresholds`` are the keyword arguments for ``bench.geneval.protocol.evaluate``: GenEval's own
    0.3 and 0.9, which the calibrated score gives their plain meaning. ``max_overlap`` stays at 1
    (no suppression in the protocol) because a cell yields one class and neighbours are suppressed
    here already.
    """

    thresholds: ClassVar[dict[str, Any]] = {
        "threshold": 0.3,
        "counting_threshold": 0.9,
        "max_overlap": 1.0,
    }

    def __init__(self, network: Network, digest: str):
        self.network = network.eval().requires_grad_(False)
        self._digest = digest

    @classmethod
    def load(cls, folder: Path = WEIGHTS) -> MiniatureJudge:
        """The trained judge; errors as :func:`bench.miniature.frozen.load`."""
        network, path = Network(), Path(folder) / FILE
        frozen.load(network, path)
        return cls(network, frozen.digest(path))

    def digest(self) -> str:
        """SHA-256 of the weight file, in hexadecimal."""
        return self._digest

    def prove(self) -> None:
        """Raise BenchError unless drawn scenes are recognized."""
        prove(self, pictures())

    def examine(self, images: Tensor) -> list[Detections]:
        """``detect``, with the colors of what was found in each image."""
        return [
            Detections(found, partial(self._colors, image, found))
            for image, found in zip(images, self.detect(images), strict=True)
        ]

    def _colors(
        self, image: Tensor, found: Mapping[str, np.ndarray], name: str, chosen: Sequence[int]
    ) -> list[str]:
        return self.colors(image, name, found[name][list(chosen), :4])

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[dict[str, np.ndarray]]:
        """Objects in images (B, 3, 64, 64) in [0, 1].

        For each image, {class: float32 (k, 5) of x0, y0, x1, y1, score}, highest score first, for
        the classes found with a score of at least 0.05.
        """
        _check(images, 4)
        found: list[dict[str, np.ndarray]] = [{} for _ in range(len(images))]
        slope, shift = self.network.calibration.tolist()
        for start in range(0, len(images), CHUNK):
            output = self.network(images[start : start + CHUNK].float().clamp(0, 1))
            image, row, column, names, logit = peaks(output)
            score = torch.sigmoid(slope * logit + shift)
            rows = torch.cat([boxes_at(output, image, row, column), score[:, None]], 1)
            for i in torch.argsort(score, descending=True, stable=True).tolist():
                if score[i] >= FLOOR:
                    of_image = found[start + int(image[i])]
                    name, line = CLASSES[int(names[i])], rows[i : i + 1].numpy()
                    kept = of_image.get(name)
                    of_image[name] = line if kept is None else np.concatenate([kept, line])
        return found

    @torch.no_grad()
    def colors(self, image: Tensor, name: str, boxes: np.ndarray) -> list[str]:
        """The colour, one of COLORS, of what lies in each box (k, 4) of an image (3, 64, 64).

        ``name`` must be one of GenEval's classes; the answer does not depend on it.
        """
        _check(image, 3)
        if name not in CLASSES:
            raise ValueError(f"{name!r} is not a GenEval class")
        corners = np.asarray(boxes, dtype=np.float64)
        if corners.ndim != 2 or corners.shape[1] != 4 or not np.isfinite(corners).all():
            raise ValueError(f"boxes must be finite numbers of shape (k, 4), got {corners.shape}")
        if not len(corners):
            return []
        logits = split(self.network(image[None].float().clamp(0, 1)))[3][0]
        middle = (corners[:, :2] + corners[:, 2:]) / 2 / STRIDE
        cell = torch.from_numpy(np.clip(np.floor(middle), 0, CELLS - 1).astype(np.int64))
        return [COLORS[i] for i in logits[:, cell[:, 1], cell[:, 0]].argmax(0).tolist()]


def _check(images: Tensor, dims: int) -> None:
    shape = tuple(images.shape)
    if images.ndim != dims or shape[-3:] != (3, SIZE, SIZE):
        wanted = ("B, " if dims == 4 else "") + f"3, {SIZE}, {SIZE}"
        raise ValueError(
            f"the miniature's judge takes pixels of shape ({wanted}), got {shape}; "
            "judge=mask2former takes any size"
        )
    if not images.is_floating_point() or not bool(torch.isfinite(images).all()):
        raise ValueError(f"pixels must be finite floats in [0, 1], got dtype {images.dtype}")
