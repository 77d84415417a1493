"""Search over paths: its rounds against a naive loop, and what it keeps."""

import pytest
import torch

from methods.efr import TweedieEstimator
from methods.method import Method
from methods.path import noising_std
from methods.sample import sample
from methods.steer import BestOfN, Sop


def method(**settings):
    return Method("s", {"e": TweedieEstimator(1.0)}, {"sop": Sop(**settings)})


def naive(problem, image, steer):
    """One image, path by path: (latents, reward) of what is delivered."""
    backbone, steps = problem.backbone, problem.steps
    levels = [*backbone.solver("ddim", steps).levels, backbone.level(0.0)]

    def solved(x, start, end):
        for k in range(start, end):
            mean = backbone.posterior_mean(x, levels[k], problem.condition)
            x = backbone.solver("ddim", steps).step(mean, k, x, None)
        return x

    def value(x, at):
        if at < steps:
            x = backbone.posterior_mean(x, levels[at], problem.condition)
        return float(problem.score(x))

    def at(share):
        return min(k for k, level in enumerate(levels) if level.fraction <= share + 1e-9)

    here, shape, share = at(steer.start), backbone.latent_shape, steer.start
    paths = [
        solved(problem.noise(shape, "initial", image, i).double()[None], 0, here)
        for i in range(steer.n)
    ]
    number = 0
    while share > 1e-9:
        top, bottom = at(share + steer.up), at(max(share + steer.up - steer.down, 0))
        low, high = levels[here], levels[top]
        grown = []
        for place, x in enumerate(x for x in paths for _ in range(steer.m)):
            fresh = problem.noise(shape, "upward", image, place, number).double()
            x = high.alpha / low.alpha * x + noising_std(low, high) * fresh
            grown.append(solved(x, top, bottom))
        here, share, number = bottom, share + steer.up - steer.down, number + 1
        order = sorted(range(len(grown)), key=lambda i: -value(grown[i], here))
        paths = [grown[i] for i in order[: steer.n]]
    return paths[0]


@pytest.mark.parametrize("steps", [10, 30])
def test_it_keeps_the_paths_that_a_naive_loop_keeps(steps, on_mixture):
    problem = on_mixture(images=2, steps=steps, solver="ddim")
    steer = Sop(n=2, m=3, start=0.3, up=0.4, down=0.5)
    found = sample(problem, method(n=2, m=3, start=0.3, up=0.4, down=0.5)).latents
    for image in range(2):
        torch.testing.assert_close(found[image], naive(problem, image, steer)[0])


def test_its_rounds_are_the_paper_s_four_on_any_grid(on_mixture):
    for steps in (10, 50, 1000):
        solver = on_mixture().backbone.solver("ddim", steps)
        rounds = Sop().rounds([*solver.levels, solver.end])
        assert len(rounds) == 4 and rounds[-1][1] == steps
    assert rounds[0] == (100, 910), "from 0.12 up by 0.78 and down by 0.81"


def test_more_paths_raise_the_reward_above_best_of_as_many(on_mixture):
    problem = on_mixture(images=100, steps=20, solver="ddim")
    rewards = [
        float(problem.score(sample(problem, m).latents).mean())
        for m in (method(n=1, m=1), method(n=2, m=2), method(n=4, m=4))
    ]
    assert rewards == sorted(rewards)
    four = sample(problem, Method("b", {}, {"best_of_n": BestOfN(4)})).latents
    assert rewards[1] > problem.score(four).mean()


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n": 0}, "n must be an integer >= 1"),
        ({"start": 0.0}, "start must be above 0"),
        ({"down": 0.78}, "down must be above 0.78"),
        ({"start": 0.5}, r"start \+ up must be at most 1"),
    ],
)
def test_bad_settings_name_the_key_and_what_is_allowed(bad, message):
    with pytest.raises(ValueError, match=message):
        Sop(**bad)


def test_a_rise_that_reaches_no_other_level_is_refused(on_mixture):
    with pytest.raises(ValueError, match=r"reaches no level above t/T 0\.5"):
        sample(on_mixture(steps=4, solver="ddim"), method(start=0.5, up=0.1, down=0.3))
