"""Demon: how one noise is composed of several, and that it raises the reward."""

import pytest
import torch

from methods.efr import ExactEstimator, TweedieEstimator
from methods.method import Method
from methods.sample import sample
from methods.steer import Demon, Guidance
from methods.steer.demon import composed

NOISES = torch.tensor([[[1.5, -0.5, -2.0], [0.5, -1.0, -1.5], [0.5, 1.0, -0.5], [-0.5, -0.5, 0]]])
VALUES = torch.tensor([[0.3, -0.1, 1.2, 0.4]])


@pytest.mark.parametrize(
    ("weighting", "adaptive", "scale", "noise"),
    [  # of src/api.py's demon_sampling, aiiu-lab/DemonSampling at 1feb3b7, tau 0.5 and "adaptive"
        ("tanh", True, 1.0, [-0.232851, 1.417851, 0.967202]),
        ("tanh", False, 2.0, [-0.247331, 1.404409, 0.983089]),
        ("boltzmann", False, 2.0, [0.858266, 0.931018, -1.181772]),
        ("boltzmann", True, 1.0, [0.870041, 0.844506, -1.236866]),
    ],
)
def test_a_noise_is_composed_as_in_the_official_code(weighting, adaptive, scale, noise):
    found = composed(NOISES, scale * VALUES, weighting, adaptive)
    torch.testing.assert_close(found, torch.tensor([noise]), atol=1e-5, rtol=1e-5)


def test_a_composed_noise_has_a_typical_draw_s_norm_and_favors_what_is_worth_more():
    g = torch.Generator().manual_seed(0)
    noises, slope = torch.randn(50, 8, 2, 6, generator=g), torch.randn(2, 6, generator=g)
    values = (noises * slope).sum(dim=(2, 3))
    found = composed(noises, values, "tanh", True)
    torch.testing.assert_close(found.flatten(1).norm(dim=1), torch.full((50,), 12.0).sqrt())
    assert ((found * slope).sum(dim=(1, 2)) > values.mean(dim=1)).all()


def test_where_nothing_is_told_apart_the_solver_s_own_noise_stays():
    values = torch.cat([torch.full((1, 4), 7.3), VALUES])
    found = composed(NOISES.repeat(2, 1, 1), values, "tanh", True)
    assert torch.equal(found[0], NOISES[0, 0]) and not torch.equal(found[1], NOISES[0, 0])


def test_more_noises_raise_the_reward_and_the_last_step_is_left_alone(on_mixture):
    problem = on_mixture(images=100, steps=15)
    rewards = [float(problem.score(sample(problem, method(n)).latents).mean()) for n in (1, 4, 16)]
    assert rewards[0] < rewards[1] < rewards[2]
    late = Demon(8, interval=(0.0, 1 / 15))
    plain = sample(problem, Method("vanilla")).latents
    one = Method("m", {"e": TweedieEstimator(1.0)}, {"demon": late})
    assert torch.equal(sample(problem, one).latents, plain)


def test_it_runs_ahead_of_the_target_where_the_exact_value_composes(on_mixture):
    """It searches for reward and does not sample the tilted law: its rewards end above it."""
    problem = on_mixture(images=200, steps=15)
    target = sample(problem, Method("t", {"e": ExactEstimator(1.0)}, {"g": Guidance()})).latents
    demon = sample(problem, Method("d", {"e": ExactEstimator(1.0)}, {"demon": Demon(16)})).latents
    assert problem.score(demon).mean() > problem.score(target).mean()


def method(n):
    return Method("m", {"e": TweedieEstimator(1.0)}, {"demon": Demon(n)})
