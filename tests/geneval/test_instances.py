"""Mask2Former's post-processing against loops over pixels, and against transformers' own."""

import math
from types import SimpleNamespace

import pytest
import torch

from bench.geneval.instances import FLOOR, TOP, Frame, extents, instances
from bench.geneval.mask2former import frame

SQUARE = Frame((12, 12), (12, 12), (12, 12))  # mask logits are used as they are


def naive(class_logits, mask_logits):
    """(score, label, box) of every pair of query and class, one pixel at a time."""
    pairs = []
    for query, logits in enumerate(class_logits.tolist()):
        total = sum(math.exp(v) for v in logits)
        for label, logit in enumerate(logits[:-1]):
            pairs.append((math.exp(logit) / total, label, query))
    found = []
    for chance, label, query in sorted(pairs, reverse=True)[:TOP]:
        inside = [
            (x, y, 1 / (1 + math.exp(-value)))
            for y, row in enumerate(mask_logits[query].tolist())
            for x, value in enumerate(row)
            if value > 0
        ]
        if not inside:
            continue
        score = chance * sum(p for _, _, p in inside) / len(inside)
        xs, ys = [x for x, _, _ in inside], [y for _, y, _ in inside]
        if score >= FLOOR:
            found.append((score, label, (min(xs), min(ys), max(xs) + 1, max(ys) + 1)))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("seed", range(4))
def test_scores_labels_and_boxes_are_those_of_a_loop_over_pixels(seed):
    generator = torch.Generator().manual_seed(seed)
    class_logits = 4 * torch.randn(9, 6, generator=generator)
    mask_logits = 3 * torch.randn(9, 12, 12, generator=generator) - 5
    mask_logits[0] = -1.0  # an empty mask
    found = instances(class_logits, mask_logits, SQUARE)
    expected = naive(class_logits, mask_logits)
    assert len(expected) > 3 and len(found.labels) == len(expected)
    for i, (score, label, box) in enumerate(expected):
        assert found.scores[i].item() == pytest.approx(score, rel=1e-5)
        assert found.labels[i] == label and tuple(found.boxes[i].tolist()) == box


def test_scores_and_masks_are_those_of_transformers_at_its_own_size():
    from transformers.models.mask2former.image_processing_pil_mask2former import (
        Mask2FormerImageProcessorPil,
    )

    generator = torch.Generator().manual_seed(0)
    class_logits = 5 * torch.randn(1, 100, 81, generator=generator)
    mask_logits = 3 * torch.randn(1, 100, 24, 24, generator=generator)
    output = SimpleNamespace(class_queries_logits=class_logits, masks_queries_logits=mask_logits)
    (theirs,) = Mask2FormerImageProcessorPil().post_process_instance_segmentation(
        output, threshold=FLOOR, return_binary_maps=True
    )
    side = 384, 384
    ours = instances(class_logits[0], mask_logits[0], Frame(side, side, side))
    given = sorted(
        zip(theirs["segments_info"], theirs["segmentation"], strict=True),
        key=lambda pair: -pair[0]["score"],
    )
    assert len(given) == len(ours.labels) > 20
    for i, (segment, mask) in enumerate(given):
        assert segment["score"] == pytest.approx(ours.scores[i].item(), abs=2e-6)
        assert segment["label_id"] == ours.labels[i]
        assert torch.equal(mask.bool(), ours.masks[i])


def certain(label, classes=5):
    logits = torch.full((classes,), -20.0)
    logits[label] = 20.0
    return logits


def block(y0, y1, x0, x1):
    mask = torch.full((12, 12), -20.0)
    mask[y0:y1, x0:x1] = 20.0
    return mask


def test_one_object_is_one_detection_with_its_box_past_the_last_pixel():
    nothing = certain(4)
    found = instances(
        torch.stack([nothing, certain(2)]), torch.stack([block(0, 12, 0, 12), block(2, 7, 3, 4)]),
        SQUARE,
    )  # fmt: skip
    assert found.labels.tolist() == [2] and found.boxes.tolist() == [[3, 2, 4, 7]]
    assert found.scores.item() == pytest.approx(1)
    assert found.masks.sum() == 5


def test_nothing_is_detected_where_every_query_says_no_object():
    found = instances(certain(4)[None], block(0, 5, 0, 5)[None], SQUARE)
    assert found.boxes.shape == (0, 4) and found.masks.shape == (0, 12, 12)
    assert not len(found.labels) and not len(found.scores)


def test_overlapping_masks_are_kept_apart_and_whole():
    masks = torch.stack([block(0, 8, 0, 8), block(4, 12, 4, 12)])
    found = instances(torch.stack([certain(1), certain(1)]), masks, SQUARE)
    assert found.masks.sum((1, 2)).tolist() == [64, 64]
    assert (found.masks[0] & found.masks[1]).sum() == 16


def test_one_query_may_be_two_classes():
    logits = torch.tensor([[1.0, 1.0, -20, -20, -20]])
    found = instances(logits, block(1, 3, 1, 3)[None], SQUARE)
    assert sorted(found.labels.tolist()) == [0, 1]
    assert found.scores.tolist() == pytest.approx([0.5, 0.5])


def test_masks_return_to_the_image_s_own_size_without_the_padding():
    """An object that fills the right half of a wide image, in a padded input."""
    size = frame(30, 50, shorter=64, longer=80)
    assert size == Frame((30, 50), (48, 80), (64, 96))
    logits = torch.full((1, 16, 24), -20.0)  # the padded input at stride 4
    logits[:, :, 10:] = 20.0  # x >= 40 of 80
    found = instances(certain(0)[None], logits, size)
    assert found.masks.shape == (1, 30, 50)
    assert found.boxes.tolist() == [[25, 0, 50, 30]]


def test_extents_are_those_of_a_search():
    masks = torch.rand(20, 9, 7, generator=torch.Generator().manual_seed(0)) > 0.9
    masks[:, 4, 3] = True
    for mask, box in zip(masks, extents(masks).tolist(), strict=True):
        ys, xs = torch.nonzero(mask, as_tuple=True)
        assert box == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
