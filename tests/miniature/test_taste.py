"""The second reward: its annotators, its adversary, and what the shipped weights have learned."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("fonticon_mdi7", reason="scenes need the training extra")

from bench.miniature.pipeline import PIPELINE
from bench.miniature.taste import Taste
from training import spoil, taste, votes
from training.scenes import Placed
from training.taste import preference_loss
from training.votes import IMAGES, PAIRS, Rendering

PIXELS = np.zeros((64, 64, 3), dtype=np.uint8)


def of(wrong: float = 0.0, untidy: float = 0.0, harmony: float = 0.5) -> Rendering:
    return Rendering(PIXELS, wrong, untidy, harmony)


@pytest.mark.parametrize(
    "better_worse", [(of(), of(wrong=1)), (of(), of(untidy=1)), (of(harmony=1), of(harmony=0))]
)
def test_annotators_prefer_what_fits_what_is_tidy_and_what_stands_out(better_worse) -> None:
    better, worse = better_worse
    groups = [[better, worse, better, worse]] * 400
    shares = votes.votes(groups, np.random.default_rng(0)).mean(0)
    assert shares[0] > 0.53  # better against worse
    assert shares[1] == pytest.approx(0.5, abs=0.05)  # alike
    assert shares[3] < 0.47  # worse against better


def test_annotators_differ_and_err() -> None:
    shares = votes.votes([[of(), of(wrong=3), of(), of()]] * 400, np.random.default_rng(0))
    assert 0.005 < (shares[:, 0] < 1).mean() < 0.5


def test_a_mistake_halfway_counts_half() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        right, wrong, between, _ = votes.renderings(rng)[1]
        low, high = sorted((right.wrong, wrong.wrong))
        assert low <= between.wrong <= high
        assert between.untidy > 0 == right.untidy


def test_a_batch_is_that_of_its_number_and_another_for_the_next() -> None:
    first, again, other = (taste.batch(number, groups=2) for number in (5, 5, 6))
    assert torch.equal(first.images, again.images) and torch.equal(first.votes, again.votes)
    assert not torch.equal(first.images, other.images)
    assert first.images.shape == (2 * IMAGES, 3, 64, 64)


def test_the_loss_is_least_where_differences_are_the_odds_and_moves_cost_what_they_should() -> None:
    worth = torch.tensor([[1.0, 0.0, 0.5, -1.0]])
    voted = (worth[:, PAIRS[:, 0]] - worth[:, PAIRS[:, 1]]).sigmoid()
    lost = torch.full((1, IMAGES), 0.4)
    best = preference_loss(worth, worth - lost, voted, lost)
    assert best < preference_loss(worth, worth, voted, lost)
    assert best < preference_loss(worth, worth + lost, voted, lost)
    assert best < preference_loss(worth.flip(1), worth.flip(1) - lost, voted, lost)


def test_the_adversary_moves_up_the_score_by_its_reach_and_keeps_the_labels() -> None:
    vae = spoil.load_vae(PIPELINE / "vae").float()
    adversary, targets = taste.Adversary(vae), []
    torch.manual_seed(0)
    weights = torch.randn(3, 64, 64)
    for step in range(3):
        images = adversary.move(step)
        targets.append((images * weights).flatten(1).sum(1))
        adversary.scores = targets[-1]
        adversary.scores.retain_grad()
        # A loss that some scores raise and others lower: the move is up the score for all of them.
        signs = torch.tensor([1.0, -1.0]).repeat(len(images) // 2)
        (adversary.scores * signs).sum().backward()
        if step == 0:
            data = adversary.data
    assert (targets[1] > targets[0]).float().mean() > 0.9
    assert (targets[2] > targets[1]).float().mean() > 0.9
    assert adversary.data is data


def test_a_move_is_worth_its_share_of_the_way_to_the_sound_image_and_spoils_aside() -> None:
    adversary = taste.Adversary(spoil.load_vae(PIPELINE / "vae").float())
    adversary.move(0)
    start = adversary.start.view(-1, IMAGES, *adversary.start.shape[1:])
    way = (start[:, :1] - start).flatten(0, 1)
    flaws, spoils = adversary.data.flaws, adversary.data.spoils
    apart = way.flatten(1).norm(dim=1) > 1
    for share in (0.0, 0.4, -0.4):
        adversary.z = adversary.start + share * way
        expected = -share * flaws
        torch.testing.assert_close(adversary.lost()[apart], expected[apart], rtol=1e-3, atol=1e-3)
    sound = torch.arange(len(way)) % IMAGES == 0  # no way leads on from there
    adversary.z = 1.1 * adversary.start
    torch.testing.assert_close(adversary.lost()[sound], 0.1 * spoils[sound])


def test_a_blot_changes_one_figure_alone() -> None:
    rng = np.random.default_rng(0)
    image = np.full((64, 64, 3), 190, dtype=np.uint8)
    image[8:24, 8:24] = image[40:56, 40:56] = (30, 70, 215)
    thing = Placed("cat", "blue", (8, 8, 24, 24))
    for smooth in (True, False):
        out = votes.blotted(image, thing, 0.4, smooth, rng)
        changed = (out != image).any(-1)
        assert changed[8:24, 8:24].any()
        changed[8:24, 8:24] = False
        assert not changed.any()


def test_sound_images_are_preferred_to_mistaken_and_to_untidy_ones() -> None:
    reward, wins, cases = Taste.load(), [0, 0], 40
    rng = np.random.default_rng(11)
    for _ in range(cases):
        caption, drawn = votes.renderings(rng)
        scores = reward(spoil.to_unit([r.image for r in drawn]), caption)
        for place, other in enumerate((1, 3)):
            clear = drawn[other].wrong + drawn[other].untidy > 0.5
            wins[place] += int(not clear or bool(scores[0] > scores[other]))
    assert min(wins) >= 0.85 * cases
