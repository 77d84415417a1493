"""Labels and losses that the miniature's scorers are trained with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.miniature import words
from training import groups
from training.cells import NO_CLASS, cells
from training.clip import contrast
from training.corruption import record
from training.groups import Group, gaze_targets, place_labels, spans
from training.preference import SLOPE, gaze_loss, matching_loss, place_loss
from training.scenes import Placed

LEFT_OF = record(
    [{"class": "hot dog", "count": 1}, {"class": "cat", "count": 1, "position": ["left of", 0]}]
)
CAT, HOT_DOG = Placed("cat", "red", (0, 16, 16, 32)), Placed("hot dog", "blue", (40, 16, 56, 32))


def group_of(*objects: Placed) -> Group:
    """Four times the same record, five times the same objects."""
    images = [np.zeros((64, 64, 3), dtype=np.uint8)] * 5
    return Group(images, [objects] * 5, [LEFT_OF] * 4, np.zeros((5, 4)), 0.0)


def test_spans_are_the_color_and_noun_words_of_a_caption() -> None:
    colored = record(
        [
            {"class": "traffic light", "count": 1, "color": "red"},
            {"class": "orange", "count": 1, "color": "blue"},
        ]
    )
    caption = colored["prompt"].split()
    found = {name: caption[start:stop] for name, start, stop in spans(colored)}
    assert found == {"traffic light": ["red", "traffic", "light"], "orange": ["blue", "orange"]}


def test_words_are_told_to_look_at_the_cells_of_their_object() -> None:
    targets = gaze_targets([group_of(CAT, HOT_DOG)], 10)[0, 0].view(10, 8, 8)
    caption = LEFT_OF["prompt"].split()
    assert targets[caption.index("cat"), 2:4, 0:2].all()
    assert targets[caption.index("cat")].sum() == 4
    assert targets[caption.index("hot"), 2:4, 5:7].all()
    assert not targets[caption.index("left")].any()


def test_words_of_a_class_drawn_twice_are_told_nothing() -> None:
    assert not gaze_targets([group_of(CAT, CAT)], 10).any()


def test_relation_words_are_told_both_centres_in_the_caption_s_order() -> None:
    places = place_labels([group_of(HOT_DOG, CAT)], 10)[0, 0]
    caption = LEFT_OF["prompt"].split()
    for word in ("left", "of"):
        at = caption.index(word, 4)
        torch.testing.assert_close(places[at], torch.tensor([-0.75, -0.25, 0.5, -0.25]))
    assert places.isnan().all(-1).sum() == 8


def test_cells_name_what_covers_their_middle() -> None:
    names, colors, centers = (a.reshape(8, 8) for a in cells([CAT]))
    assert (names != NO_CLASS).sum() == 4
    assert (names[2:4, 0:2] == 15).all()  # the cat's place in GenEval's classes
    assert (colors[2:4, 0:2] == 0).all()
    assert centers.sum() == 1
    assert centers[3, 1] == 1


def test_the_matching_loss_is_least_at_the_scores_it_asks_for() -> None:
    costs = torch.tensor([[[0.0, 1.0, 2.0], [1.0, 0.0, 0.5]]])
    scores = (SLOPE * (0.5 - costs)).requires_grad_()
    loss = matching_loss(scores, costs)
    (slope,) = torch.autograd.grad(loss, scores)
    torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-6, rtol=0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        off = torch.randn(scores.shape, generator=generator)
        assert matching_loss(scores + off, costs) > loss


def test_the_gaze_loss_is_the_log_of_the_attention_on_the_target() -> None:
    gaze = torch.full((1, 1, 2, 65), 1 / 65)
    targets = torch.zeros(1, 1, 2, 64, dtype=torch.bool)
    targets[0, 0, 0, :13] = True
    assert gaze_loss(gaze, targets).item() == pytest.approx(np.log(5), abs=1e-3)


def test_the_place_loss_leaves_unknown_places_out() -> None:
    labels = torch.tensor([[float("nan"), 1.0], [0.0, float("nan")]])
    assert place_loss(torch.full((2, 2), 2.0), labels).item() == pytest.approx((1 + 4) / 2)
    assert place_loss(torch.zeros(1), torch.tensor([float("nan")])).item() == 0


def test_contrast_is_the_naive_cross_entropy_without_the_excluded_pairs() -> None:
    generator = torch.Generator().manual_seed(0)
    image, text = torch.randn(2, 3, generator=generator), torch.randn(3, 3, generator=generator)
    same = torch.zeros(2, 3, dtype=torch.bool)
    same[0, 2] = True
    logits = 5 * image @ text.T
    captions = [[0, 1], [0, 1, 2]]
    rows = [logits[i, c].logsumexp(0) - logits[i, i] for i, c in enumerate(captions)]
    columns = [logits[:, j].logsumexp(0) - logits[j, j] for j in range(2)]
    naive = (sum(rows) / 2 + sum(columns) / 2) / 2
    torch.testing.assert_close(contrast(image, text, torch.tensor(5.0), same), naive)


def test_a_training_batch_depends_on_its_step_alone() -> None:
    pytest.importorskip("fonticon_mdi7", reason="scenes need the training extra")
    first, again, other = (groups.batch(step, None, seed=5, groups=2) for step in (3, 3, 4))
    assert torch.equal(first.images, again.images)
    assert torch.equal(first.costs, again.costs)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (10, 3, 64, 64)
    assert first.images.min() >= 0
    assert first.images.max() <= 1
    assert first.ids.max() < len(words.vocabulary())


def test_each_record_of_a_group_is_without_mistake_in_its_own_drawing() -> None:
    pytest.importorskip("fonticon_mdi7", reason="scenes need the training extra")
    for seed in range(30):
        costs = groups.group(np.random.default_rng(seed)).costs
        assert costs.shape == (5, 4)
        assert (np.diag(costs[:4]) == 0).all()
        assert (costs[0, 1:3] >= 1).all()
