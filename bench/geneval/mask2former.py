"""GenEval's detector: Mask2Former with a Swin-S backbone on COCO's 80 classes, by transformers.

GenEval runs mmdetection's own training of this network (50 epochs, large-scale jitter). The
weights here are the paper's authors', trained by the same recipe: scores are close, not equal.
Images enter as in mmdetection's test pipeline, which is that of the authors too: scaled to a
shorter side of 800 pixels with the longer at most 1333, bilinear without antialiasing, normalized
with ImageNet's statistics, padded with zeros at the right and bottom to multiples of 32. The
processor stored beside the weights squeezes every image into 384 × 384 instead; small objects
suffer there, and it is not used. What remains: mmdetection rounds the resized image to eight bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.geneval.instances import Frame, Instances, instances
from bench.geneval.prompts import CLASSES

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
DIVISOR = 32  # of a padded side
COCO = {  # COCO's name of a class, where GenEval's differs
    "mouse": "computer mouse",
    "remote": "tv remote",
    "keyboard": "computer keyboard",
}
SYNONYMS = {  # other spellings in label files
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "pottedplant": "potted plant",
    "diningtable": "dining table",
    "tvmonitor": "tv",
    "tv monitor": "tv",
    "hair dryer": "hair drier",
}


def geneval_name(label: str) -> str:
    """GenEval's name of a COCO label. Raises ValueError for anything else."""
    plain = " ".join(label.lower().replace("_", " ").replace("-", " ").split())
    name = COCO.get(plain, SYNONYMS.get(plain, plain))
    if name not in CLASSES:
        raise ValueError(f"{label!r} is not one of COCO's 80 classes")
    return name


def frame(height: int, width: int, shorter: int, longer: int) -> Frame:
    """The largest size of the image's shape within ``shorter`` × ``longer``, and its padding."""
    scale = min(shorter / min(height, width), longer / max(height, width))
    resized = int(height * scale + 0.5), int(width * scale + 0.5)
    padded = tuple(-(-side // DIVISOR) * DIVISOR for side in resized)
    return Frame((height, width), resized, (padded[0], padded[1]))


def prepare(images: Tensor, size: Frame) -> Tensor:
    """Images (B, 3, H, W) in [0, 1] -> the network's input (B, 3, *padded)."""
    resized = F.interpolate(images, size.resized, mode="bilinear", align_corners=False)
    mean, std = (images.new_tensor(v).view(3, 1, 1) for v in (MEAN, STD))
    down, right = (p - r for p, r in zip(size.padded, size.resized, strict=True))
    return F.pad((resized - mean) / std, (0, right, 0, down))


class Mask2Former:
    """The network with the names of its labels in order; ``batch`` images in one call."""

    def __init__(
        self, network: Any, names: Sequence[str], *, shorter: int, longer: int, batch: int
    ):
        self.network, self.names, self.batch = network.eval().requires_grad_(False), names, batch
        self.shorter, self.longer = shorter, longer

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> list[Instances]:
        """The instances in each of (B, 3, H, W) images in [0, 1], on the CPU."""
        size = frame(images.shape[2], images.shape[3], self.shorter, self.longer)
        found = []
        for part in images.split(self.batch):
            inputs = prepare(part.to(self.network.device, torch.float32), size)
            output = self.network(pixel_values=inputs)
            logits = output.class_queries_logits, output.masks_queries_logits
            for classes, masks in zip(*logits, strict=True):
                own = instances(classes, masks, size)
                found.append(
                    Instances(own.labels.cpu(), own.scores.cpu(), own.boxes.cpu(), own.masks.cpu())
                )
        return found
