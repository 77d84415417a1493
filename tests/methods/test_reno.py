"""ReNO against the official code's numbers, and what it is with one iteration."""

import json
from pathlib import Path

import pytest
import torch
from linear import problem_of
from torch.testing import assert_close

from methods.method import Method
from methods.sample import sample
from methods.steer import Reno
from methods.steer.reno import norm_loss

# Computed by running LatentNoiseTrainer.train of github.com/ExplainableML/ReNO, file
# training/trainer.py at commit bd6f6ac, in double precision, with the student and the loss
# −1.5 ``reward`` below. "places": the noise of each iteration; "best": the image delivered.
PEER = json.loads((Path(__file__).parent / "peers" / "reno.json").read_text())
NOISE = torch.tensor(PEER["noise"], dtype=torch.float64).reshape(1, 3, 2, 2)
WANTED = torch.linspace(0.2, 0.8, 12, dtype=torch.float64).reshape(3, 2, 2)


def reward(images, prompt):
    return -(images - WANTED).square().sum(dim=(1, 2, 3))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("a", {"iterations": 6}),
        ("b", {"iterations": 5, "rate": 0.3, "regularizer": 0.05, "clip": 10.0}),
    ],
)
def test_it_climbs_and_delivers_as_the_official_code(name, settings):
    places = []

    def student(x, level):
        places.append(x.detach().clone())  # once an iteration: one step is not computed again
        return 0.5 * torch.tanh(x) + 0.25 * torch.sin(x)

    steer = Reno("any", scale=1.5, **settings)
    found = sample(problem_of(student, reward, NOISE), Method("reno", {}, {"reno": steer}))
    wanted = torch.tensor(PEER[name]["places"], dtype=torch.float64)
    assert_close(torch.cat(places).flatten(1), wanted, atol=1e-7, rtol=0)  # their norm is float32
    best = torch.tensor(PEER[name]["best"], dtype=torch.float64)
    assert_close(found.images.flatten(), best, atol=2e-7, rtol=0)  # theirs went through float32


def test_one_iteration_is_the_student_s_own_sample(on_mixture):
    problem = on_mixture()
    alone = sample(
        on_mixture(backbone=problem.backbone.under("flow_map"), solver="flow_map", steps=2),
        Method("vanilla"),
    )
    steer = Reno("flow_map", steps=2, iterations=1)
    assert torch.equal(sample(problem, Method("r", {}, {"r": steer})).latents, alone.latents)


@pytest.mark.parametrize("steps", [1, 2])
def test_more_iterations_never_deliver_less_and_in_the_end_far_more(steps, on_mixture):
    problem = on_mixture(images=8)

    def scores(iterations):
        steer = Reno("flow_map", steps=steps, iterations=iterations)
        return problem.score(sample(problem, Method("r", {}, {"r": steer})).latents)

    first, some, more = (scores(count) for count in (1, 3, 12))
    assert (some >= first).all() and (more >= some).all()
    assert more.mean() > first.mean() + 1


def test_the_norm_s_loss_is_the_likelihood_of_gaussian_noise_of_that_norm():
    """−log of chi's density (d degrees of freedom) but for a constant, and least at √(d − 1)."""
    z = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).double()
    chi = torch.distributions.Chi2(torch.tensor(7.0).double())
    norm = z.norm(dim=1)
    density = chi.log_prob(norm.square()) + (2 * norm).log()
    assert float((norm_loss(z) + density).std()) < 1e-12
    at = (z / z.norm(dim=1, keepdim=True) * 6**0.5).detach().requires_grad_()
    (slope,) = torch.autograd.grad(norm_loss(at).sum(), at)
    assert float(slope.abs().max()) < 1e-12
