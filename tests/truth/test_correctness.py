"""Right or wrong by number: estimators and samplers against exact answers on Gaussian mixtures."""

from dataclasses import replace

import numpy as np
import pytest

from bench.mixture.backbone import MixtureBackbone
from bench.mixture.judge import reference, wasserstein
from bench.mixture.problems import generate
from bench.mixture.reward import MixtureReward
from bench.noise import Ledger
from bench.report.truth.curves import slope
from methods import needs
from methods.efr import ExactEstimator, LookaheadEstimator, RolloutEstimator, TweedieEstimator
from methods.method import Method
from methods.problem import Problem
from methods.sample import sample
from methods.state import Prepared, Step
from methods.steer import Guidance, Probe, Search, Smc

PROMPTS = [m["prompt"] for m in generate(2, 0)]
SAMPLES, COMPONENTS = 500, 4


def problem(prompt, images=SAMPLES, reward="quadratic", path="vp", steps=100):
    backbone = MixtureBackbone(2, COMPONENTS, path)
    condition = backbone.encode(prompt)
    ledger = Ledger(0, prompt)
    return Problem(
        backbone, MixtureReward(reward), ledger, prompt, condition, images, "ddpm", steps
    )


def distance(
    method, reward="quadratic", scale=1.0, path="vp", prompts=PROMPTS, samples=SAMPLES, steps=100
):
    """W2 to the exact target over its floor, mean over problems."""
    ratios = []
    for prompt in prompts:
        points = sample(problem(prompt, samples, reward, path, steps), method).images
        truth = reference(prompt, reward, scale, samples, 2, COMPONENTS)
        ratios.append(wasserstein(points, truth.samples) / truth.floors["w2"])
    return float(np.mean(ratios))


def guided(estimator, **options):
    return Method("guided", {"e": estimator}, {"guidance": Guidance(**options)})


@pytest.mark.parametrize("path", ["vp", "flow"])
@pytest.mark.parametrize("reward", ["quadratic", "linear"])
def test_guidance_by_the_exact_estimate_samples_the_target(path, reward):
    found = distance(guided(ExactEstimator(1.0)), reward=reward, path=path)
    assert found < 1.3
    assert distance(Method("vanilla"), reward=reward, path=path) > 2 * found


def test_lidar_s_samples_approach_the_target_as_n_grows():
    found = [
        distance(
            guided(LookaheadEstimator(n=n, solver="ddim", steps=50, scale=1.0)),
            prompts=PROMPTS[1:3],
        )
        for n in (50, 1600)
    ]
    assert found[0] > 1.3 > found[1]


def errors(estimators, scale, prompts, images=20):
    """Relative error of the shift, and mean summed squared error of the value, per estimator."""
    shift = dict.fromkeys(estimators, 0.0)
    value, size = dict(shift), 0.0
    for prompt in prompts:
        for name, estimator in estimators.items():
            method = Method(
                "p", {"exact": ExactEstimator(scale), "e": estimator}, {"probe": Probe()}
            )
            found = sample(problem(prompt, images, steps=50), method).info["probe"]
            shift[name] += np.sum(found["shift"]["e"])
            value[name] += np.mean(found["value"]["e"]) / len(prompts)
        size += np.sum(found["reference"])
    return {n: float((shift[n] / size) ** 0.5) for n in shift}, value


def test_lidar_s_shift_error_falls_as_one_over_the_root_of_n():
    """Over many problems: a prompt's trajectories share one set of lookahead samples."""
    prompts = [m["prompt"] for m in generate(10, 1)]
    ns = (100, 400, 1600)
    every = {str(n): LookaheadEstimator(n, "ddim", 60, None, 1.0) for n in ns}
    shift, _ = errors(every, 1.0, prompts, images=5)
    assert -0.6 < slope(ns, list(shift.values())) < -0.4


def test_rollouts_from_the_exact_posterior_converge_likewise():
    ns = (16, 64, 256)
    every = {str(n): RolloutEstimator(n, 1, 0.25, "exact") for n in ns}
    shift, _ = errors(every, 0.25, PROMPTS)
    assert -0.6 < slope(ns, list(shift.values())) < -0.4


def test_glass_and_ancestral_rollouts_approach_the_exact_ones_with_more_steps():
    for by in ("sde", "glass"):
        every = {str(k): RolloutEstimator(64, k, 0.25, by) for k in (2, 16)}
        shift, _ = errors(every, 0.25, PROMPTS[2:], images=8)
        assert shift["16"] < 0.6 * shift["2"]


def test_tweedie_s_error_grows_with_lambda_faster_than_the_value_itself():
    found = {}
    for scale in (0.25, 4.0):
        every = {
            "tweedie": TweedieEstimator(scale),
            "lookahead": LookaheadEstimator(1600, "ddim", 60, None, scale),
        }
        found[scale] = errors(every, scale, PROMPTS)
    low, high = found[0.25], found[4.0]
    growth = {n: high[1][n] / low[1][n] for n in low[1]}
    assert growth["tweedie"] > 3 * 16**2 > growth["lookahead"]  # V² itself may grow by 16²
    assert high[0]["tweedie"] > 5 * low[0]["tweedie"] and high[0]["lookahead"] < 0.3


def test_a_linear_reward_s_value_lacks_the_posterior_s_spread_under_tweedie():
    """V = λ b·x̄_0 + ½ λ² bᵀ Cov b for one Gaussian: Tweedie misses the second term exactly."""
    made = problem(PROMPTS[0], images=4, reward="linear")
    made = replace(
        made, backbone=(one := MixtureBackbone(2, 1, "vp")), condition=one.encode(PROMPTS[0])
    )
    level = one.level(0.6)
    x = made.noise((4, 2), "test").double()
    posterior = made.condition.prior.posterior(x, level.alpha, level.sigma)
    b = made.reward.closed_form(made.prompt, made.condition.prior).vector
    estimators = {"exact": ExactEstimator(3.0), "tweedie": TweedieEstimator(3.0)}
    prepared = Prepared(estimators, {name: e.prepare(made) for name, e in estimators.items()})
    solver = one.solver("ddpm", 10)
    step = Step(made, solver, x, level, 4, 10, made.condition, prepared)
    gap = step.value("exact") - step.value("tweedie")
    spread = float(b @ posterior.covariances[0] @ b)
    assert gap.tolist() == pytest.approx([9 / 2 * spread] * 4)


@pytest.mark.parametrize(
    ("name", "method", "limit"),
    [
        ("smc by the exact value", Method("s", {"e": ExactEstimator()}, {"smc": Smc()}), 1.5),
        ("fk steering", Method("f", {"e": TweedieEstimator(1.0)}, {"smc": Smc()}), 1.6),
        (
            "das",
            Method(
                "d",
                {"e": TweedieEstimator(1.0)},
                {
                    "guidance": Guidance(1.0, tempering=0.008, last=False),
                    "smc": Smc(
                        every=0.001, start=0.0, stop=0.999, adaptive=True, tempering=0.008,
                        twisted=True,
                    ),
                },
            ),
            1.7,
        ),
        (
            "adaptive tempering",
            Method(
                "a",
                {"e": ExactEstimator()},
                {"smc": Smc(adaptive=True, scheme="ssp", tempering="adaptive")},
            ),
            1.5,
        ),
    ],
)  # fmt: skip
def test_a_large_population_samples_the_target(name, method, limit):
    assert distance(method) < limit


def test_a_guided_last_step_cannot_be_taken_back_and_says_so():
    steers = {"guidance": Guidance(1.0), "smc": Smc(twisted=True)}
    method = Method("d", {"e": ExactEstimator()}, steers)
    with pytest.raises(ValueError, match=r"guidance with last=false .* combined with guidance"):
        needs.check(method, ("stochastic", "ancestral", "analytic", "continuous"), images=4)


def test_search_samples_the_target_as_its_children_grow_in_number():
    found = [
        distance(
            Method("v", {"e": ExactEstimator()}, {"search": Search(m)}),
            prompts=PROMPTS[::2],
            samples=250,
            steps=50,
        )
        for m in (4, 16)
    ]
    assert found[0] > 2 > 1.5 > found[1]


def test_a_guided_proposal_that_is_not_taken_back_misses_the_target():
    def das(twisted):
        smc = Smc(every=0.05, start=0.05, stop=0.95, twisted=twisted)
        return Method(
            "d", {"e": ExactEstimator(1.0)}, {"guidance": Guidance(1.0, last=False), "smc": smc}
        )

    taken_back, not_taken_back = (
        distance(das(twisted), prompts=PROMPTS[:2]) for twisted in (True, False)
    )
    assert taken_back < 1.4 < not_taken_back
