"""What fits together runs, and what does not is refused in words before anything is sampled."""

from dataclasses import dataclass, fields, replace
from itertools import product

import pytest
from test_conformance import NOTHING, SMALL, made

from methods import needs
from methods.base import Steer
from methods.efr import ESTIMATORS, LookaheadEstimator, RolloutEstimator, TweedieEstimator
from methods.method import Method
from methods.sample import sample
from methods.steer import STEERS, Embedding, Guidance, Probe, Recurrence, Smc, Tfg

SURROUNDINGS = ("stochastic", "ancestral", "derivative", "analytic", "continuous")


@pytest.mark.parametrize("solver", ["ddpm", "ddim"])
def test_every_two_steers_together_are_refused_or_run(solver, on_mixture):
    assert NOTHING and SMALL
    problem = on_mixture(solver=solver, steps=4)
    offered = {*SURROUNDINGS[1:], "stochastic" if solver == "ddpm" else "deterministic"}
    ran = refused = 0
    for (one, first), (two, second) in product(STEERS.items(), repeat=2):
        steers = {one: made(first, one), f"{two}2": made(second, two)}
        estimators = {"lookahead": LookaheadEstimator(n=12, steps=2, scale=1.0)}
        if any(steer.requires & {"shift", "value"} for steer in steers.values()):
            estimators["tweedie"] = TweedieEstimator(1.0)
        for label, steer in steers.items():
            if len(estimators) > 1 and "efr" in {field.name for field in fields(steer)}:
                by = "lookahead" if steer.requires & {"samples"} else "tweedie"
                steers[label] = replace(steer, efr=by)
        asked = set()
        try:
            method = Method("m", estimators, steers)
            asked = {name for label in steers for name in method.asked(label)}
            method = Method("m", {k: v for k, v in estimators.items() if k in asked}, steers)
            needs.check(method, offered, images=problem.images)
        except ValueError as error:
            assert "method.steer" in str(error)
            refused += 1
            continue
        sample(problem, method)
        ran += 1
    assert ran > 40 and refused > 40


def test_two_that_differentiate_through_the_denoiser_share_its_graph(on_mixture):
    estimators = {"tweedie": TweedieEstimator(1.0), "lgd": TweedieEstimator(1.0, perturbations=2)}
    steers = {"one": Guidance(efr="tweedie"), "two": Guidance(efr="lgd"), "tfg": Tfg()}
    needs.check(Method("m", estimators, steers), SURROUNDINGS, images=4)
    sample(on_mixture(), Method("m", estimators, steers))
    sample(on_mixture(), Method("p", estimators, {"probe": Probe(reference="lgd")}))


def test_two_estimators_of_one_class_draw_numbers_of_their_own(on_mixture):
    """A reference that contained the estimate's own samples would make it look better."""
    from states import step_at

    estimators = {"many": RolloutEstimator(8, 2, 1.0), "few": RolloutEstimator(2, 2, 1.0)}
    problem = on_mixture()
    step = step_at(problem, estimators)
    many, few = (estimators[name].drawn(step, problem) for name in estimators)
    lone = step_at(problem, {"few": estimators["few"]})
    alone = RolloutEstimator(2, 2, 1.0).drawn(lone, problem)
    assert not (many[:, :2] == few).any()
    assert (many[:, :2] == alone).all(), "the first of a class draws as if it were alone"


def test_an_estimator_without_derivatives_keeps_no_graph_beside_one_with(on_mixture):
    kept = []

    @dataclass(frozen=True)
    class Watched(RolloutEstimator):
        def drawn(self, step, model):
            samples = super().drawn(step, model)
            kept.append(samples.requires_grad)
            return samples

    estimators = {"rollout": Watched(2, 2, 1.0), "tweedie": TweedieEstimator(1.0)}
    steers = {"a": Guidance(efr="rollout"), "b": Guidance(efr="tweedie")}
    sample(on_mixture(), Method("m", estimators, steers))
    assert kept and not any(kept)


@dataclass(frozen=True)
class Mistyped(Steer):
    requires = frozenset({"derivatives"})

    def shift(self, step, memory):
        return step.x


@dataclass(frozen=True)
class Spoiling(Steer):
    spoils = frozenset({"densty"})

    def shift(self, step, memory):
        return step.x


@dataclass(frozen=True)
class Leading(Steer):
    def sample(self, run):
        return run(run.initial(run.problem.initial(run.particles)))


@dataclass(frozen=True)
class Misspelt(Steer):
    def shfit(self, step, memory):
        return step.x


class Undressed(Steer):
    def shift(self, step, memory):
        return step.x


@dataclass(frozen=True)
class Listing(Steer):
    requires = ("derivative",)

    def shift(self, step, memory):
        return step.x


LOOKAHEAD = {"mine": LookaheadEstimator(n=3)}


@pytest.mark.parametrize(
    ("estimators", "steers", "message"),
    [
        ({}, {"x": Mistyped()}, r"x\.requires must be one of .* did you mean 'derivative'"),
        ({}, {"x": Spoiling()}, r"x\.spoils must be one of .* did you mean 'density'"),
        ({}, {"a": Leading(), "b": Leading()}, "a and b both run the loop: choose one"),
        ({}, {"m": Misspelt()}, "Misspelt defines none of sample, .* did you mean 'shift'"),
        ({}, {"u": Undressed()}, "Undressed must be a frozen dataclass"),
        ({}, {"l": Listing()}, "l.requires must be a set of words"),
        (LOOKAHEAD, {"r": Recurrence()}, r"method\.efr\.mine is asked by no steer: leave it out"),
        (LOOKAHEAD, {"g": Guidance(efr="*")}, r"g\.efr must be one of mine"),
        ({}, {"a": Embedding(), "b": Embedding()}, "a needs .* cannot be combined with b"),
        ({"t": TweedieEstimator()}, {"s": Smc(particles=3)}, r"steer\.s\.particles must divide"),
        (
            LOOKAHEAD,
            {"start": STEERS["best_of_lookahead"]()},
            r"start\.efr: n of mine .* must be an integer >= 4, got 3",
        ),
        (
            {"e": ESTIMATORS["exact"]()},
            {"probe": Probe(reference="exat")},
            r"probe\.reference must be one of e",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_words(estimators, steers, message):
    with pytest.raises(ValueError, match=message):
        needs.check(Method("m", estimators, steers), SURROUNDINGS, images=4)


@dataclass(frozen=True)
class Narrow(Steer):
    """A shift that broadcasting would let through."""

    def shift(self, step, memory):
        return step.x0.mean(dim=0)


@dataclass(frozen=True)
class Forgetful(Steer):
    efr: str | None = None

    def shift(self, step, memory):
        return step.shift(self.efr)


@dataclass(frozen=True)
class Total(TweedieEstimator):
    def value(self, step, ready=None):
        return super().value(step).mean()


@pytest.mark.parametrize(
    ("estimators", "steers", "message"),
    [
        ({}, {"n": Narrow()}, r"the shift of Narrow must be of shape \(4, 2\), got \(2,\)"),
        ({"t": Total()}, {"smc": Smc()}, r"the value of estimator t must be of shape \(4,\)"),
        ({"t": TweedieEstimator()}, {"f": Forgetful()}, r"must say requires = frozenset"),
        ({}, {"f": Forgetful()}, "an estimator must be named: there are none"),
    ],
)
def test_what_a_part_of_one_s_own_forgets_is_said_in_words(estimators, steers, message, on_mixture):
    with pytest.raises(ValueError, match=message):
        sample(on_mixture(steps=4), Method("m", estimators, steers))


def test_noise_search_needs_a_route_that_adds_no_noise():
    steers = {"restart": STEERS["restart"](), "noise_search": STEERS["noise_search"]()}
    with pytest.raises(ValueError, match=r"deterministic .* cannot be combined with restart"):
        needs.check(Method("m", {}, steers), ("deterministic", "ancestral", "continuous"), images=4)
