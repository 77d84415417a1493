"""DNO against its definition: gradients by finite differences, the regulariser, the given noise."""

import math
from dataclasses import dataclass, replace

import pytest
import torch

from methods.method import Method
from methods.potentials import log_probability
from methods.sample import Run, sample
from methods.steer import Dno

VANILLA = Method("vanilla")


def test_dno_climbs_the_reward_and_its_regularizer_holds_it_back(on_mixture):
    problem = on_mixture(steps=6, images=3)
    plain = problem.score(sample(problem, VANILLA).latents)

    def after(**options):
        steer = Dno(iterations=8, rate=0.05, shuffles=1, **options)
        return problem.score(sample(problem, Method("d", {}, {"dno": steer})).latents)

    free, held = after(regularizer=0.0), after(regularizer=1e4, width=2)
    assert (free > plain).all()
    assert held.mean() < free.mean()


def test_dno_s_gradient_reaches_every_noise_as_finite_differences_say(on_mixture):
    problem = on_mixture(steps=4, images=1)
    run = Run(problem, VANILLA)
    g = torch.Generator().manual_seed(0)
    z = torch.randn(5, 1, 2, generator=g).double().requires_grad_()

    def reward(z):
        return problem.score(run.latents(run.initial(z[0]), z[1:])).sum()

    (gradient,) = torch.autograd.grad(reward(z), z)
    assert (gradient[1:-1].abs() > 1e-6).all(), "of every noise that a step adds"
    with torch.no_grad():
        for place in range(4):
            bump = torch.zeros_like(z)
            bump[place, 0, 1] = 1e-5
            slope = (reward(z + bump) - reward(z - bump)) / 2e-5
            torch.testing.assert_close(gradient[place, 0, 1], slope, rtol=1e-4, atol=1e-7)


def test_dno_s_run_on_given_noise_is_the_loop_s_on_the_ledger_s(on_mixture):
    problem = on_mixture(steps=5)
    run = Run(problem, VANILLA)
    x = run.initial(problem.initial(4))
    z = torch.stack([problem.normal_like(x, "solver", k) for k in range(5)])
    assert torch.equal(run(x, noise=z).latents, sample(problem, VANILLA).latents)
    assert torch.equal(run.latents(x, z), run(x, noise=z).latents)


def test_dno_clips_each_sample_s_gradient_whatever_the_batch(on_mixture):
    """A reward a thousand times as steep gives the same first step of AdamW's clipped gradient."""
    problem = on_mixture(steps=4, images=3)
    method = Method("d", {}, {"dno": Dno(iterations=3, rate=0.1, regularizer=0.0)})

    @dataclass(frozen=True)
    class Steep:
        factor: torch.Tensor  # of each image

        def __call__(self, images, prompt):
            return self.factor[: len(images)] * problem.reward(images, prompt)

    seen = [
        sample(replace(problem, reward=Steep(torch.tensor(f))), method).latents
        for f in ([1e3, 1e3, 1e3], [1e3, 1e6, 1e3])
    ]
    torch.testing.assert_close(seen[0], seen[1], atol=1e-4, rtol=0)


def test_dno_under_an_ode_is_made_of_its_initial_noise_alone(on_mixture):
    drawn = []

    class Listening:
        def __init__(self, noise):
            self.noise = noise
            self.uniform = noise.uniform

        def stack(self, shape, purpose, keys):
            drawn.append(purpose)
            return self.noise.stack(shape, purpose, keys)

    problem = on_mixture(solver="ddim", steps=5)
    steer = Dno(iterations=1, regularizer=1.0, width=1, shuffles=1)
    method = Method("d", {}, {"dno": steer})
    sample(replace(problem, noise=Listening(problem.noise)), method)
    assert drawn == ["initial"]
    with pytest.raises(ValueError, match="width must be at most 2, got 4"):
        sample(problem, Method("d", {}, {"dno": Dno(iterations=1)}))


def test_the_log_probability_of_noise_is_its_definition_and_tells_unlikely_noise():
    g = torch.Generator().manual_seed(0)
    z = torch.randn(2, 400, generator=g)
    likely = log_probability(z, 4)
    torch.testing.assert_close(likely, torch.full((2,), -2 * math.log(2)))  # both at their bound
    shifted = z + 1.0
    m, k = 100, 4
    mean = shifted.reshape(2, m, k).mean(1).norm(dim=1)
    second = torch.stack([v.T @ v / m for v in shifted.reshape(2, m, k)])
    gap = torch.linalg.svdvals(second - torch.eye(k))[:, 0]
    spread = (1 + gap).sqrt() - 1 - math.sqrt(k / m)
    expected = -m * mean**2 / (2 * k) - m * spread**2 / 2
    torch.testing.assert_close(log_probability(shifted, 4), expected)
