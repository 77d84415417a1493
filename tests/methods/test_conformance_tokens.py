"""Every estimator under every steer on strings of tokens: it runs there, or says why it cannot."""

from dataclasses import replace

import pytest
import torch
from calls import expected
from test_conformance import (
    EVERY_ESTIMATOR,
    FITTING,
    NOTHING,
    ON_STRINGS,
    does_nothing,
    each,
    made,
    pair,
)
from test_tokens import K, L, problem

from bench.run.measure import Task, measure
from methods import needs
from methods.method import Method
from methods.sample import sample

OFFERED = ("stochastic", "analytic", "tokens")
SETTINGS = {"relative": None, "by": "sde"}
VANILLA = Method("vanilla")


def on_tokens(estimator, steer, **changes):
    own = {"solver": "ancestral"} if estimator != "rollout" else {}  # which takes a student's alone
    return pair(estimator, steer, **(SETTINGS | own | changes))


def refusal(estimator, steer):
    """Why a pair is refused on strings, or None."""
    try:
        needs.check(on_tokens(estimator, steer), OFFERED, images=4)
    except ValueError as error:
        return str(error)
    return None


EVERY = [*FITTING, *ON_STRINGS]
REFUSED = {pair: why for pair in EVERY if (why := refusal(*pair))}
RUNNING = [pair for pair in EVERY if pair not in REFUSED and "toy" not in pair]


def test_what_makes_no_sense_on_strings_is_refused_for_that_reason():
    steers = {steer for _, steer in REFUSED}
    assert {"embedding", "tfg", "dno", "backward", "noise_search"} <= steers
    assert ("tweedie", "guidance") in REFUSED
    for why in REFUSED.values():
        assert "continuous latents: a string of tokens has no gradient" in why


def test_what_runs_on_strings():
    steers = {steer for _, steer in RUNNING}
    wanted = {"guidance", "token_guidance", "smc", "search", "best_of_n", "best_of_lookahead"}
    assert wanted <= steers
    assert {("rollout", "guidance"), ("exact", "smc"), ("tweedie", "smc")} <= {*RUNNING}


@pytest.mark.parametrize(
    ("estimator", "settings"),
    [
        ("rollout", {"by": "glass"}),
        ("rollout", {"by": "ode", "n": 1}),
        ("tweedie", {"perturbations": 3}),
        ("lookahead", {"smoothing": 0.1}),
    ],
)
def test_gaussian_noise_around_a_string_is_refused(estimator, settings):
    method = Method(
        "m", {estimator: made(EVERY_ESTIMATOR[estimator], estimator, **settings)},
        on_tokens(estimator, "smc").steers,
    )  # fmt: skip
    with pytest.raises(ValueError, match="no Gaussian noise around it"):
        needs.check(method, OFFERED, images=4)


def test_rules_for_strings_are_refused_on_continuous_latents():
    method = on_tokens("lookahead", "token_guidance")
    offered = ("stochastic", "ancestral", "derivative", "analytic", "continuous")
    with pytest.raises(ValueError, match="strings of tokens"):
        needs.check(method, offered, images=4)


@each(RUNNING)
def test_strings_are_strings_and_the_ledger_decides_them(estimator, steer):
    here, method = problem(), on_tokens(estimator, steer)
    torch.manual_seed(1)
    first = sample(here, method)
    torch.manual_seed(2)
    second = sample(here, method)
    assert torch.equal(first.latents, second.latents)
    assert first.latents.shape == (4, L, K) and first.images.shape == (4, L)
    assert torch.equal(first.latents.sum(-1), torch.ones(4, L).double())
    assert ((first.latents == 0) | (first.latents == 1)).all()
    others = [replace(here, noise=replace(here.noise, seed=seed)) for seed in (1, 2, 3)]
    assert any(not torch.equal(sample(o, method).images, first.images) for o in others)


@each([(e, s) for e, s in RUNNING if does_nothing(s)])
def test_without_strength_strings_are_vanilla_s(estimator, steer):
    here = problem(images=8)
    method = on_tokens(estimator, steer, **NOTHING)
    assert torch.equal(sample(here, method).latents, sample(here, VANILLA).latents)


@each(RUNNING)
def test_calls_on_strings_equal_the_documented_formula(estimator, steer):
    here, method = problem(), on_tokens(estimator, steer)
    task = Task(here.backbone, here.reward, here.solver, here.steps, here.images, 0)
    phases = measure(task, method, here.prompt).calls.values()
    counted = {k: sum(p[k] for p in phases) for k in next(iter(phases))}
    wanted = expected(method, here.images, here.steps)
    assert counted == {k: wanted[k] for k in counted}
