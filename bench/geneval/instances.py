"""From Mask2Former's logits to scored boxes and masks.

Source: Cheng et al., "Masked-attention Mask Transformer for Universal Image Segmentation", CVPR
2022, arXiv 2112.01527, instance inference, in the form of GenEval's detector. A query predicts a
class distribution (the last entry: no object) and a mask. The ``TOP`` most probable pairs of query
and class are instances, so one query may appear under two classes. With p the class probability,
m the mask's logits and M = {m > 0} the mask,

    score = p · mean of sigmoid(m) over M,    box = the pixels' extent of M, past-the-end corners.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

TOP = 100  # pairs of query and class
FLOOR = 0.05  # scores below it are not reported; GenEval counts none at or below 0.3


@dataclass(frozen=True)
class Instances:
    """n instances, highest score first: labels (n,), scores (n,), boxes (n, 4) of x0, y0, x1, y1
    in pixels, and masks (n, H, W), bool."""

    labels: Tensor
    scores: Tensor
    boxes: Tensor
    masks: Tensor


@dataclass(frozen=True)
class Frame:
    """Sizes (height, width): of the image, of it resized, and of the padded network input."""

    image: tuple[int, int]
    resized: tuple[int, int]
    padded: tuple[int, int]

    def restore(self, logits: Tensor) -> Tensor:
        """Mask logits (n, h, w) of the padded input, at any resolution -> (n, H, W) of the image.

        Bilinear twice, the padding cut off between, before any threshold.
        """
        full = F.interpolate(logits[None], self.padded, mode="bilinear", align_corners=False)
        cut = full[..., : self.resized[0], : self.resized[1]]
        return F.interpolate(cut, self.image, mode="bilinear", align_corners=False)[0]


def instances(class_logits: Tensor, mask_logits: Tensor, frame: Frame) -> Instances:
    """One image's instances from (Q, classes + 1) and (Q, h, w); empty masks are dropped."""
    classes = class_logits.shape[-1] - 1
    chances = class_logits.float().softmax(-1)[:, :-1].flatten()
    chance, pair = chances.topk(min(TOP, len(chances)))
    pair, chance = pair[chance >= FLOOR], chance[chance >= FLOOR]  # no score is above its chance
    queries, place = torch.unique(pair // classes, return_inverse=True)
    if not len(queries):
        height, width = frame.image
        none = chance.new_zeros(0)
        masks = none.new_zeros((0, height, width), dtype=torch.bool)
        return Instances(none.long(), none, none.new_zeros(0, 4), masks)
    logits = frame.restore(mask_logits[queries].float())
    masks = logits > 0
    area = masks.sum((1, 2))
    certainty = (logits.sigmoid() * masks).sum((1, 2)) / area.clamp(min=1)
    scores = chance * certainty[place]
    order = torch.argsort(scores, descending=True, stable=True)
    order = order[(scores[order] >= FLOOR) & (area[place[order]] > 0)]
    kept = place[order]
    return Instances(pair[order] % classes, scores[order], extents(masks[kept]), masks[kept])


def extents(masks: Tensor) -> Tensor:
    """Boxes (n, 4), float, of non-empty masks (n, H, W): x1 and y1 lie past the last pixel."""
    sides = []
    for axis in (1, 2):  # over the rows: columns, x; over the columns: rows, y
        line = masks.any(axis).float()
        sides.append((line.argmax(1), line.shape[1] - line.flip(1).argmax(1)))
    (x0, x1), (y0, y1) = sides
    return torch.stack([x0, y0, x1, y1], 1).float()
