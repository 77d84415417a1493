"""What is not finite is named with reward, prompt and place, before it does harm."""

from dataclasses import replace

import pytest
import torch
from named import METHODS

from methods.base import Estimator
from methods.method import Method
from methods.sample import sample
from methods.steer import Guidance


def test_a_reward_that_is_not_finite_names_itself_and_the_prompt(problem):
    class Broken:
        name, differentiable = "broken", True

        def __call__(self, images, prompt):
            return torch.full((len(images),), float("nan"))

    with pytest.raises(FloatingPointError, match=r"reward broken .* 'a photo of a cat'"):
        sample(replace(problem, reward=Broken()), METHODS["fk_smc"])


@pytest.mark.parametrize(
    ("method", "where"),
    [
        (METHODS["ug"], "at step 2 of 4"),
        (METHODS["fk_smc"], "at step 2 of 4"),
        (METHODS["lidar"], "while its estimators were prepared"),
        (METHODS["best_of_n"], "of the finished samples"),
    ],
    ids=["ug", "fk_smc", "lidar", "best_of_n"],
)
def test_a_reward_that_is_not_finite_is_named_with_prompt_and_place(problem, method, where):
    class Fragile:
        name, differentiable = "fragile", True
        calls = 0

        def __call__(self, images, prompt):
            self.calls += 1
            good = 2 if "step" in where and method.name == "ug" else 1 if "step" in where else 0
            return images.mean(dim=(1, 2, 3)) * (float("nan") if self.calls > good else 1.0)

    with pytest.raises(FloatingPointError, match="reward fragile") as caught:
        sample(replace(problem, reward=Fragile()), method)
    assert where in str(caught.value) and repr(problem.prompt) in str(caught.value)


def test_samples_driven_out_of_range_stop_the_prompt_with_a_word(problem):
    class Explosive(Estimator):
        requires, scale = frozenset(), 1.0

        def shift(self, step, ready):
            return torch.full_like(step.x, float("inf"))

    method = Method("boom", {"e": Explosive()}, {"guidance": Guidance()})
    with pytest.raises(FloatingPointError, match="boom drove its samples out of range"):
        sample(problem, method)
