"""Every estimator under every steer: what holds for all of them, whatever they do.

Both registries are read, so a new class is tested by being registered. One from outside is tested
by its import path: ``make conformance PART=my_module.MySteer``. Each pair runs on a Gaussian
mixture, under both paths where that matters; a pair whose settings refuse each other must say so.
"""

import os
from dataclasses import dataclass, fields, replace
from importlib import import_module

import pytest
import torch
from calls import expected
from states import step_at

from bench.run.measure import Task, measure
from methods import needs
from methods.base import Estimator, Steer
from methods.efr import ESTIMATORS
from methods.method import Method
from methods.sample import sample
from methods.settings import at_least
from methods.steer import STEERS

SMALL = {
    "lookahead": {"n": 30, "steps": 3},
    "rollout": {"n": 3, "steps": 3},
    "diamond": {"n": 3, "solver": "flow_map", "nodes": 2},
    "student": {"solver": "flow_map", "ramp": True},
    "repel": {"count": 5},
    "noise_search": {"n": 3, "rounds": 2},
    "smc": {"every": 0.1, "start": 0.0, "stop": 0.9},
    "rbf": {"budget": 15, "starts": 3},
    "recurrence": {"repeats": 2},
    "best_of_lookahead": {"renoise": 0.6},
    "demon": {"n": 3},
    "dno": {"iterations": 2, "shuffles": 1},
    "draft_best_of_n": {"n": 3, "steps": 3},
    "tfg": {"draws": 2},
    "reno": {"solver": "flow_map", "steps": 2, "iterations": 3},
    "fmrg": {"solver": "flow_map", "grid": 8, "guided": 3, "warmup": 2},
    "pcnl": {"iterations": 3, "burn_in": 1},
    "sop": {"start": 0.25, "up": 0.3, "down": 0.4},
    "evosearch": {"schedule": (0.0, 0.5), "sizes": (4, 3, 2)},
}
# With λ = 0 every choice by reward is still a choice: these have no λ, or start elsewhere.
ELSEWHERE = {"reno", "fmrg", "pcnl", "sop", "evosearch"}
NO_LAMBDA = {"best_of_n", "draft_best_of_n", "noise_search", "best_of_lookahead"} | ELSEWHERE
# How each steer is made to do nothing.
NOTHING = {"scale": 0.0, "repeats": 0, "iterations": 0}
SURROUNDINGS = ("stochastic", "ancestral", "derivative", "analytic", "continuous")
VANILLA = Method("vanilla")


@dataclass(frozen=True)
class Constant:
    """A reward that knows nothing."""

    name: str = "constant"
    differentiable: bool = True

    def __call__(self, images, prompt):
        return 0 * images.sum(dim=tuple(range(1, images.ndim))) + 2.5

    def closed_form(self, prompt, prior):
        from methods.mixture import Quadratic

        dimension = prior.means.shape[-1]
        zero = torch.zeros(dimension, dimension).double()
        return Quadratic(zero, zero[0], 2.5)


@dataclass(frozen=True)
class Toy(Estimator):
    """An estimator made of one class: V(x_t) = −λ‖x̄_0‖²/2, its shift towards zero."""

    requires = frozenset()
    scale: float = 1.0

    def __post_init__(self):
        at_least("scale", self.scale, 0)

    def value(self, step, ready):
        return -self.scale * step.x0.flatten(1).square().sum(1) / 2

    def shift(self, step, ready):
        return -self.scale * step.level.sigma**2 * step.x0 / 10


WRONG = []  # what is wrong with the classes that PART names


def from_outside():
    """The classes that the environment's PART names by their import paths."""
    for path in filter(None, os.environ.get("PART", "").split(",")):
        module, _, name = path.rpartition(".")
        try:
            part = getattr(import_module(module), name)
            made = part()
            base = Steer if isinstance(made, Steer) else Estimator
            hooks = needs.HOOKS if base is Steer else ("value", "shift")
            if not isinstance(made, Steer | Estimator):
                raise TypeError("it extends neither methods.base.Steer nor Estimator")
            if not any(getattr(part, hook) is not getattr(base, hook) for hook in hooks):
                raise TypeError(f"it defines none of {', '.join(hooks)}")
        except (ImportError, AttributeError, TypeError, ValueError) as error:
            hint = "; every field needs a default" if "argument" in str(error) else ""
            WRONG.append(f"PART={path}: {error}{hint} (is its folder on PYTHONPATH?)")
            continue
        yield name, part


OUTSIDE = dict(from_outside())
EVERY_ESTIMATOR = ESTIMATORS | {n: c for n, c in OUTSIDE.items() if issubclass(c, Estimator)}
EVERY_STEER = STEERS | {n: c for n, c in OUTSIDE.items() if issubclass(c, Steer)}
EVERY_ESTIMATOR["toy"] = Toy


def made(cls, name, **changes):
    known = {f.name for f in fields(cls)}
    return cls(**(SMALL.get(name, {}) | {k: v for k, v in changes.items() if k in known}))


def asks(steer):
    """Whether a steer asks an estimator; one that does not is paired with "none"."""
    return bool(made(EVERY_STEER[steer], steer).requires & set(needs.ASKED))


def pair(estimator, steer, **changes):
    """The method of a pair; changes go to both where they have such a setting."""
    settings = {}
    if estimator != "none":
        settings[estimator] = made(EVERY_ESTIMATOR[estimator], estimator, **changes)
    if steer == "probe":  # a probe needs something to compare
        settings.setdefault("exact", ESTIMATORS["exact"]())
        if estimator == "exact":
            settings["tweedie"] = ESTIMATORS["tweedie"]()
    return Method(
        f"{estimator} x {steer}", settings, {steer: made(EVERY_STEER[steer], steer, **changes)}
    )


def deterministic(steer):
    return "deterministic" in made(EVERY_STEER[steer], steer).requires


def where(on_mixture, steer, **changes):
    """A problem with a target solver that the steer takes."""
    return on_mixture(solver="ddim" if deterministic(steer) else "ddpm", **changes)


def fits(estimator, steer):
    method = pair(estimator, steer)
    asked = set().union(*(method.estimators[n].offers for n in method.asked(steer)))
    return method.steers[steer].requires & {"samples", "images"} <= asked


PAIRS = [(e, s) for s in EVERY_STEER for e in (EVERY_ESTIMATOR if asks(s) else ["none"])]
PAIRS = [pair for pair in PAIRS if not (OUTSIDE or WRONG) or set(pair) & set(OUTSIDE)]
# Guiders are for models under classifier-free guidance: tests/backbones/test_guiders.py.
PAIRS = [(e, s) for e, s in PAIRS if "guided" not in made(EVERY_STEER[s], s).requires]
ON_STRINGS = [(e, s) for e, s in PAIRS if fits(e, s) and "tokens" in pair(e, s).needs(s)]
FITTING = [(e, s) for e, s in PAIRS if fits(e, s) and (e, s) not in ON_STRINGS]


def test_the_classes_that_are_named_from_outside_can_be_tested():
    assert not WRONG, WRONG


def each(pairs):
    return pytest.mark.parametrize(("estimator", "steer"), pairs, ids=["-".join(p) for p in pairs])


fitting = each(FITTING)


def does_nothing(steer):
    """Whether some setting makes it do nothing, however it chooses or starts."""
    named = {f.name for f in fields(EVERY_STEER[steer])} & set(NOTHING)
    asks = made(EVERY_STEER[steer], steer).requires & {"value", "shift"}
    return steer not in NO_LAMBDA and (named or asks)


def follows_the_reward(steer):
    """Whether what it does is made of differences of the reward, or of V, alone."""
    asks = made(EVERY_STEER[steer], steer).requires
    return steer not in {"dno"} | ELSEWHERE and asks & {"value", "shift", "derivative", "pick"}


@pytest.mark.parametrize(("estimator", "steer"), sorted({*PAIRS} - {*FITTING, *ON_STRINGS}))
def test_a_pair_that_does_not_fit_says_what_would(estimator, steer):
    with pytest.raises(ValueError, match=f"method.steer.{steer} needs a lookahead estimator"):
        needs.check(pair(estimator, steer), SURROUNDINGS, images=4)


@fitting
def test_shapes_dtype_and_device_are_kept_and_all_is_finite(estimator, steer, on_mixture):
    offered = {*SURROUNDINGS, "deterministic" if deterministic(steer) else "stochastic"}
    needs.check(pair(estimator, steer), offered, images=4)
    for path in ("vp", "flow"):
        result = sample(where(on_mixture, steer, path=path), pair(estimator, steer))
        assert result.latents.shape == (4, 2) and result.images.shape == (4, 2)
        assert result.latents.dtype == torch.float64 and result.latents.device.type == "cpu"
        assert torch.isfinite(result.images).all() and not result.images.requires_grad


@each([(e, s) for e, s in FITTING if not {e, s} & set(OUTSIDE)])
def test_calls_equal_the_documented_formula(estimator, steer, on_mixture):
    problem = where(on_mixture, steer)
    task = Task(problem.backbone, problem.reward, problem.solver, problem.steps, problem.images, 0)
    method = pair(estimator, steer)
    for asked in (method, replace(method, best_seen=True)):
        phases = measure(task, asked, problem.prompt).calls.values()
        counted = {k: sum(p[k] for p in phases) for k in next(iter(phases))}
        assert counted == {k: expected(asked, problem.images, problem.steps)[k] for k in counted}


@fitting
def test_best_seen_is_never_below_the_methods_own_delivery(estimator, steer, on_mixture):
    problem, method = where(on_mixture, steer), pair(estimator, steer)
    own, seen = sample(problem, method), sample(problem, replace(method, best_seen=True))
    before, after = (problem.score_images(result.images) for result in (own, seen))
    better = torch.tensor(seen.info["best_seen"])
    assert (after[better] > before[better]).all()
    assert torch.equal(seen.latents[~better], own.latents[~better])
    assert torch.equal(seen.images, problem.backbone.decode(seen.latents))
    assert len(seen.latents.unique(dim=0)) >= len(own.latents.unique(dim=0))
    if not method.joint:
        apart = sample(problem, replace(method, best_seen=True), together=2)
        torch.testing.assert_close(apart.latents, seen.latents, atol=1e-8, rtol=1e-8)


@fitting
def test_the_best_seen_of_one_image_is_the_best_that_was_ever_scored(estimator, steer, on_mixture):
    problem = where(on_mixture, steer, images=1)
    reward, scores = problem.reward, []

    class Recorded(Constant):
        def __call__(self, images, prompt):
            scores.append(reward(images, prompt).detach())
            return reward(images, prompt)

        def closed_form(self, prompt, prior):
            return reward.closed_form(prompt, prior)

    method = replace(pair(estimator, steer), best_seen=True)
    delivered = sample(replace(problem, reward=Recorded()), method)
    assert float(reward(delivered.images, problem.prompt)) == float(torch.cat(scores).max())


@fitting
def test_the_ledger_decides_every_draw_whatever_was_sampled_before(estimator, steer, on_mixture):
    problem, method = where(on_mixture, steer), pair(estimator, steer)
    torch.manual_seed(1)
    first = sample(problem, method).latents
    torch.manual_seed(2)
    sample(where(on_mixture, steer, prompt="separated mixture 7"), method)
    second = sample(problem, method).latents
    assert torch.equal(first, second)
    other = sample(replace(problem, noise=replace(problem.noise, seed=1)), method).latents
    assert not torch.equal(first, other)


@fitting
def test_the_condition_and_the_prior_are_left_as_they_were(estimator, steer, on_mixture):
    problem = where(on_mixture, steer)
    prior = problem.condition.prior
    before = [t.clone() for t in (prior.log_weights, prior.means, prior.covariances)]
    sample(problem, pair(estimator, steer))
    after = (prior.log_weights, prior.means, prior.covariances)
    for now, then in zip(after, before, strict=True):
        assert torch.equal(now, then) and not now.requires_grad


@each([(e, s) for e, s in FITTING if does_nothing(s)])
def test_without_strength_it_is_vanilla_bit_for_bit(estimator, steer, on_mixture):
    problem = where(on_mixture, steer)
    method = pair(estimator, steer, **NOTHING)
    assert torch.equal(sample(problem, method).latents, sample(problem, VANILLA).latents)


@each([(e, s) for e, s in FITTING if e != "toy" and follows_the_reward(s)])
def test_a_constant_reward_is_vanilla_but_for_rounding(estimator, steer, on_mixture):
    problem = replace(where(on_mixture, steer), reward=Constant())
    ours = sample(problem, pair(estimator, steer, rounds=1)).latents
    torch.testing.assert_close(ours, sample(problem, VANILLA).latents, atol=1e-9, rtol=1e-9)


@each([(e, s) for e, s in FITTING if e != "toy"])
def test_one_of_everything_is_a_valid_limit(estimator, steer, on_mixture):
    """n = 1 candidate, child, sample or rollout; one image."""
    problem = where(on_mixture, steer, images=1)
    method = pair(estimator, steer, n=1, count=1, particles=1, rounds=1)
    result = sample(problem, method).latents
    assert result.shape == (1, 2)
    chooses = ("best_of_n", "draft_best_of_n", "search", "noise_search", "smc", "probe")
    chooses_nothing = steer in chooses
    shifts_nothing = steer == "guidance" and estimator in ("lookahead", "rollout")
    if chooses_nothing or shifts_nothing:
        assert torch.equal(result, sample(problem, VANILLA).latents)


@each([(e, s) for e, s in FITTING if s != "smc"])  # a population is its particles
def test_another_batch_size_gives_the_same_samples_to_rounding(estimator, steer, on_mixture):
    problem, method = where(on_mixture, steer), pair(estimator, steer)
    four = sample(problem, method).latents
    two = sample(replace(problem, images=2), method).latents
    torch.testing.assert_close(four[:2], two, atol=1e-8, rtol=1e-8)
    if not method.joint:
        parts = sample(problem, method, together=2).latents
        torch.testing.assert_close(four, parts, atol=1e-8, rtol=1e-8)


@each([(e, s) for e, s in FITTING if pair(e, s).differentiates])
def test_gradients_of_some_particles_at_a_time_make_the_same_samples(estimator, steer, on_mixture):
    problem, method = where(on_mixture, steer), pair(estimator, steer)
    whole, parts = (sample(replace(problem, graph=limit), method) for limit in (None, 3))
    torch.testing.assert_close(whole.latents, parts.latents, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("estimator", EVERY_ESTIMATOR)
def test_value_and_shift_answer_in_the_shape_of_their_question(estimator, on_mixture):
    estimators = {estimator: made(EVERY_ESTIMATOR[estimator], estimator)}
    step = step_at(on_mixture(), estimators, batch=5, graph=True)
    kept, kept_mean = step.x.detach().clone(), step.x0.detach().clone()
    assert step.value().shape == (5,)
    shift = step.shift()
    assert shift.shape == (5, 2) and shift.dtype == torch.float64
    assert torch.equal(step.x.detach(), kept) and torch.equal(step.x0.detach(), kept_mean)


@pytest.mark.parametrize("name", EVERY_ESTIMATOR)
def test_what_a_step_is_asked_twice_is_computed_once(name, on_mixture):
    calls = []
    cls = EVERY_ESTIMATOR[name]

    class Counted(cls):
        def value(self, step, ready=None):
            calls.append("value")
            return super().value(step, ready)

    step = step_at(on_mixture(), {name: Counted(**SMALL.get(name, {}))}, graph=True)
    assert step.value() is step.value() and calls == ["value"]
    assert step.shift() is step.shift()
    step.settled().value()
    assert calls == ["value"], "a shift by autograd, or a later weighing, found the value again"
