"""Best-of-N, image by image and jointly."""

import torch

from methods.finals import Finals
from methods.method import Method
from methods.steer import BestOfN


def chosen(steer, rewards):
    finals = Finals(None, torch.arange(len(rewards)), None, torch.tensor(rewards))
    return steer.finish(finals, {}).latents.tolist()


REWARDS = [0.1, 0.9, 0.8, 0.7, 0.2, 0.3]  # two candidates for each of three images


def test_each_image_gets_the_best_of_its_own_candidates():
    assert chosen(BestOfN(2), REWARDS) == [1, 2, 5]


def test_jointly_the_best_of_a_prompts_candidates_are_delivered_whosever_they_are():
    assert chosen(BestOfN(2, joint=True), REWARDS) == [1, 2, 3]


def test_a_joint_choice_couples_the_images_and_another_does_not():
    assert Method("joint", {}, {"best_of_n": BestOfN(2, joint=True)}).joint
    assert not Method("own", {}, {"best_of_n": BestOfN(2)}).joint
