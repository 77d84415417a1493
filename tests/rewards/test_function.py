"""Any callable as a reward: what its trial finds out, and what it refuses."""

import numpy as np
import pytest
import torch

from bench.errors import BenchError
from bench.rewards.function import as_reward

PROMPT = "a photo of a cat"
WEIGHT = torch.ones(3, requires_grad=True)


def mean(images, prompt):
    return images.mean((1, 2, 3))


class Denied:
    differentiable = False
    name = "denied"

    def __call__(self, images, prompt):
        return mean(images, prompt)


@torch.no_grad()
def ungraded(images, prompt):
    return mean(images, prompt)


@pytest.mark.parametrize(
    ("call", "name", "differentiable"),
    [
        (mean, "mean", True),
        (Denied(), "denied", False),
        (ungraded, "ungraded", False),
        (lambda x, p: x.detach().mean((2, 3)) @ WEIGHT, "<lambda>", False),
        (lambda x, p: mean(x, p).detach().numpy(), "<lambda>", False),
        (torch.nn.Flatten(), "Flatten", None),
    ],
)
def test_a_trial_tells_whether_a_gradient_reaches_the_images(call, name, differentiable):
    if differentiable is None:  # takes no prompt
        with pytest.raises(BenchError, match=f"the reward {name} failed .* TypeError"):
            as_reward(call, PROMPT)
        return
    reward = as_reward(call, PROMPT)
    assert (reward.name, reward.differentiable) == (name, differentiable)


@pytest.mark.parametrize("kind", [list, tuple, np.asarray, lambda v: torch.tensor(v).double()])
def test_scores_of_any_form_become_float32(kind):
    reward = as_reward(lambda images, prompt: kind([0.5] * len(images)), PROMPT)
    scores = reward(torch.zeros(3, 3, 8, 8), PROMPT)
    assert scores.dtype == torch.float32 and scores.tolist() == [0.5] * 3


def test_every_call_is_held_to_one_number_an_image():
    reward = as_reward(lambda images, prompt: [1.0, 2.0], PROMPT)
    with pytest.raises(ValueError, match=r"one number for each image, shape \(3,\), got \(2,\)"):
        reward(torch.zeros(3, 3, 8, 8), PROMPT)


def test_the_trial_is_of_the_size_that_is_asked_for_and_moves_no_random_state():
    seen = []

    def note(images, prompt):
        seen.append((tuple(images.shape), prompt))
        return mean(images, prompt)

    before = torch.get_rng_state()
    as_reward(note, PROMPT, pixels=24)
    assert seen == [((2, 3, 24, 24), PROMPT)]
    assert torch.equal(torch.get_rng_state(), before)


def test_a_trial_under_no_grad_still_finds_the_gradient():
    with torch.no_grad():
        assert as_reward(mean, PROMPT).differentiable
