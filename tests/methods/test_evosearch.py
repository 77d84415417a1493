"""EvoSearch: its selection and mutation, what it remembers, and that it never loses its best."""

import pytest
import torch

from methods.method import Method
from methods.sample import sample
from methods.steer import BestOfN, EvoSearch
from methods.steer.evosearch import winners


def method(**settings):
    return Method("e", {}, {"evosearch": EvoSearch(**settings)})


def rewards(problem, *methods):
    return [problem.score(sample(problem, m).latents) for m in methods]


def test_a_tournament_is_won_by_the_best_of_nine_in_ten():
    g = torch.Generator().manual_seed(0)
    scores = torch.tensor([0.1, 3.0, -1.0, 2.0, 0.5, 0.2, 0.9, 1.5, 1.0, 0.0])
    uniform = torch.rand(4000, 10, generator=g)
    won = winners(scores, uniform)
    for row, winner in zip(uniform[:50], won[:50], strict=True):
        entrants = row.argsort()[:9]
        assert int(winner) == int(entrants[scores[entrants].argmax()])
    share = torch.bincount(won, minlength=10) / 4000
    torch.testing.assert_close(share[[1, 3]], torch.tensor([0.9, 0.1]), atol=0.02, rtol=0)
    assert winners(torch.tensor([0.3]), torch.rand(5, 1)).tolist() == [0] * 5


def test_a_generation_is_made_of_everything_that_passed_its_place(on_mixture):
    """By hand on one image: states seen at the place, elites first, children moved by σ_t."""
    problem = on_mixture(images=1, steps=10)
    seen = []
    steer = {"schedule": (0.0, 0.5), "sizes": (5, 4, 3), "elites": 2, "mutation": 0.3}
    sample(problem, method(**steer), observe=lambda step: seen.append((step.index, step.x)))
    starts = [i for i, (k, x) in enumerate(seen) if i == 0 or len(x) != len(seen[i - 1][1])]
    assert [seen[i][0] for i in starts] == [0, 0, 5]
    first, second, third = (seen[i][1] for i in starts)
    scores = [problem.score(end(problem, seen, i)) for i in starts[:2]]
    order = scores[0].argsort(descending=True)
    torch.testing.assert_close(second[:2], first[order[:2]])
    fresh = torch.stack([problem.noise((2,), "mutation", 0, i, 0).double() for i in range(4)])
    parents = (second[2:] - 0.3 * fresh[2:]) / (1 - 0.09) ** 0.5
    assert all((parent - first).abs().sum(1).min() < 1e-6 for parent in parents)
    middle = torch.cat([seen[i + 5][1] for i in starts[:2]])
    pooled = torch.cat(scores).argsort(descending=True)
    torch.testing.assert_close(third[:2], middle[pooled[:2]])
    std = problem.backbone.solver("ddpm", 10).transition(5)[1]
    fresh = problem.noise((2,), "mutation", 0, 2, 1).double()
    assert (third[2] - std * fresh - middle).abs().sum(1).min() < 1e-9


def end(problem, seen, start):
    """Where the population that begins at this place of the observations ends."""
    _, x = seen[start + 9 - seen[start][0]]
    level = problem.backbone.solver("ddpm", 10).levels[9]
    return problem.backbone.posterior_mean(x, level, problem.condition)


def test_generations_never_lose_what_was_found_and_start_as_best_of_n(on_mixture):
    problem = on_mixture(images=40, steps=10)
    none, two, all_ = rewards(
        problem,
        method(schedule=(), sizes=(4,)),
        method(schedule=(0.0, 0.5), sizes=(4, 4, 4)),
        method(schedule=(0.0, 0.5, 0.7), sizes=(4, 4, 4, 8)),
    )
    best_of_n = rewards(problem, Method("b", {}, {"best_of_n": BestOfN(4)}))[0]
    assert torch.equal(none, best_of_n)
    assert (two >= none).all() and (all_ >= two).all() and (all_ > none).any()


def test_a_second_generation_meets_noise_of_its_own(on_mixture):
    problem = on_mixture(images=1, steps=10)
    seen = []
    steer = method(schedule=(0.0,), sizes=(1, 1), elites=1)
    sample(problem, steer, observe=lambda step: seen.append(step.x))
    assert torch.equal(seen[0], seen[10]) and not torch.equal(seen[1], seen[11])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"sizes": (4, 4)}, "sizes must have one number more than schedule, got 2 and 4"),
        ({"schedule": (0.0, 0.6, 0.4, 0.8)}, "schedule must rise and end below 1"),
        ({"schedule": (0.0, 0.4, 0.6, 1.0)}, "schedule must rise and end below 1"),
        ({"elites": 9}, "elites must be at most 4, got 9"),
        ({"mutation": 1.5}, r"mutation must be in \[0, 1\]"),
    ],
)
def test_bad_settings_name_the_key_and_what_is_allowed(bad, message):
    with pytest.raises(ValueError, match=message):
        EvoSearch(**bad)


def test_two_places_on_one_step_are_refused(on_mixture):
    with pytest.raises(ValueError, match="needs more than 2 steps"):
        sample(on_mixture(steps=2), method())
