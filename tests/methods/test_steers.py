"""What each steer does, against a naive loop or the formula written out."""

from dataclasses import replace

import pytest
import torch
from states import step_at

from bench.run.measure import Task, measure
from methods.efr import ExactEstimator, LookaheadEstimator, RolloutEstimator, TweedieEstimator
from methods.efr.lookahead import Lookahead
from methods.interfaces import CLEAN
from methods.method import Method
from methods.path import noising_std, renoise, tempering
from methods.sample import sample
from methods.steer import (
    Backward,
    BestOfLookahead,
    BestOfN,
    Guidance,
    NoiseSearch,
    Probe,
    Recurrence,
    Search,
    Smc,
)
from methods.steer.noise_search import neighbors
from methods.steer.repel import safe_denoiser, sparse_repellency
from methods.steer.search import chosen

VANILLA = Method("vanilla")


def test_backward_guidance_is_plain_gradient_ascent_on_the_clean_prediction(on_mixture):
    problem = on_mixture()
    step, steer = step_at(problem), Backward(scale=2.0, rate=0.05, inner=3)
    reward = problem.reward.closed_form(problem.prompt, problem.condition.prior)
    x0 = step.x0
    for _ in range(3):
        x0 = x0 + 0.05 * 2.0 * (reward.vector - x0 @ reward.matrix)
    torch.testing.assert_close(steer.shift(step, {}), x0 - step.x0)


def test_noising_up_again_keeps_the_marginal_of_the_path(on_mixture):
    backbone = on_mixture().backbone
    low, high = backbone.level(0.3), backbone.level(0.6)
    g = torch.Generator().manual_seed(0)
    x0, e, z = (torch.randn(200_000, generator=g).double() for _ in range(3))
    up = renoise(low.alpha * x0 + low.sigma * e, low, high, z)
    assert float(up.var()) == pytest.approx(high.alpha**2 + high.sigma**2, rel=0.02)
    assert float((up * x0).mean()) == pytest.approx(high.alpha, rel=0.02)
    assert noising_std(CLEAN, high) == pytest.approx(high.sigma)


def test_recurrence_alone_leaves_the_distribution_as_it_is(on_mixture):
    problem = on_mixture(images=600, steps=25)
    plain = sample(problem, VANILLA).latents
    recurred = sample(problem, Method("r", {}, {"recurrence": Recurrence(2)})).latents
    assert not torch.equal(plain, recurred)
    torch.testing.assert_close(plain.mean(0), recurred.mean(0), atol=0.2, rtol=0)
    torch.testing.assert_close(plain.std(0), recurred.std(0), atol=0.2, rtol=0)


def test_search_keeps_children_in_proportion_to_exp_v(on_mixture):
    problem = on_mixture()
    values = torch.tensor([0.0, 1.0, 2.0, -1.0]).double()
    counts = torch.zeros(4)
    for step in range(3000):
        counts[int(chosen(problem, values, 4, "sample", step))] += 1
    torch.testing.assert_close(counts / 3000, values.softmax(0).float(), atol=0.03, rtol=0)
    assert int(chosen(problem, values, 4, "best", 0)) == 2
    assert chosen(problem, torch.full((4,), 2.0), 4, "sample", 0) is None


def test_the_children_of_one_image_never_come_from_another(on_mixture):
    problem = on_mixture(images=3)
    steer, estimators = Search(n=4), {"exact": ExactEstimator(1.0)}
    ancestors = steer.select(step_at(problem, estimators, batch=12), {})
    assert (ancestors // 4).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert all(len(set(block.tolist())) == 1 for block in ancestors.reshape(3, 4))
    assert steer.select(step_at(problem, estimators, batch=12, index=0), {}) is None


def test_neighbors_keep_the_law_of_noise_and_their_distance():
    g = torch.Generator().manual_seed(0)
    pivot, fresh = torch.randn(100_000, generator=g), torch.randn(100_000, generator=g)
    near = neighbors(pivot, fresh, 0.3)
    assert float(near.std()) == pytest.approx(1, rel=0.02)
    assert float((near * pivot).mean()) == pytest.approx((1 - 0.09) ** 0.5, rel=0.02)


def test_noise_search_never_loses_what_it_found_and_begins_as_best_of_n(on_mixture):
    problem = on_mixture(images=20, solver="ddim")
    finals = [
        sample(problem, Method("s", {}, {"search": NoiseSearch(3, rounds)})).latents
        for rounds in (1, 2, 5)
    ]
    best_of_n = sample(problem, Method("b", {}, {"best_of_n": BestOfN(3)})).latents
    assert torch.equal(finals[0], best_of_n)
    first, second, last = (problem.score(f) for f in finals)
    assert (second >= first).all() and (last >= second).all() and (last > first).any()


def test_safe_denoiser_is_the_gap_to_the_references_posterior_mean():
    g = torch.Generator().manual_seed(0)
    references, x, x0 = torch.randn(5, 2, 3, generator=g), *torch.randn(2, 4, 2, 3, generator=g)
    alpha, sigma = 0.6, 0.8
    for b in range(4):
        d = torch.stack([(x[b] - alpha * r).square().sum() / (2 * sigma**2) for r in references])
        w = (-d).softmax(0)
        expected = x0[b] - sum(wi * r for wi, r in zip(w, references, strict=True))
        found = safe_denoiser(x0, x, references, alpha, sigma)[b]
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_sparse_repellency_pushes_within_the_radius_only():
    references = torch.tensor([[0.0, 0.0], [10.0, 0.0]]).double()
    x0 = torch.tensor([[1.0, 0.0], [5.0, 5.0], [10.0, 0.0]]).double()
    pushed = sparse_repellency(x0, references, 2.0)
    # ‖x̄_0 − x^0‖ = 1: (2/1 − 1)·(1, 0); far from both: nothing; upon a reference: left alone
    torch.testing.assert_close(pushed, torch.tensor([[1.0, 0], [0, 0], [0, 0]]).double())


def test_renoised_lookahead_samples_are_noised_to_the_first_level_they_reach(on_mixture):
    problem = on_mixture(steps=10)
    estimators = {"lookahead": LookaheadEstimator(n=30, steps=4, scale=1.0)}
    prepared = estimators["lookahead"].prepare(problem)
    seen = []
    steers = {"start": BestOfLookahead(renoise=0.55)}
    sample(problem, Method("r", estimators, steers), observe=seen.append)
    assert [s.index for s in seen] == [5, 6, 7, 8, 9] and seen[0].level.fraction == 0.5
    order = prepared.estimate.rewards.argsort(descending=True)[:4]
    noise = problem.initial(4, "renoise").double()
    level = seen[0].level
    expected = level.alpha * prepared.estimate.samples[order] + level.sigma * noise
    torch.testing.assert_close(seen[0].x, expected)


def test_lidar_can_start_from_its_best_lookahead_samples(on_mixture):
    problem = on_mixture(images=50, steps=20)
    estimators = {"lookahead": LookaheadEstimator(n=400, steps=20, scale=1.0)}
    start = BestOfLookahead(renoise=0.5)
    with_guidance = sample(
        problem, Method("a", estimators, {"g": Guidance(), "start": start})
    ).latents
    without = sample(problem, Method("b", estimators, {"start": start})).latents
    assert problem.score(with_guidance).mean() > problem.score(without).mean()


def test_a_smoothed_reward_is_the_mean_over_perturbed_copies(on_mixture):
    problem = on_mixture()
    plain = LookaheadEstimator(n=6, steps=3, scale=1.0).prepare(problem)
    many = LookaheadEstimator(n=6, steps=3, scale=1.0, smoothing=0.3, draws=4000).prepare(problem)
    torch.testing.assert_close(many.estimate.samples, plain.estimate.samples)
    # E r(x + τε) = r(x) − τ²/2·tr A for r = −½‖x − a‖²
    expected = plain.estimate.rewards - 0.3**2 / 2 * 2
    torch.testing.assert_close(many.estimate.rewards, expected, atol=0.1, rtol=0)
    assert many.images is None and plain.images is None, "nobody asked for them to be kept"
    kept = LookaheadEstimator(n=6, steps=3).prepare(replace(problem, keep=True))
    assert torch.equal(kept.images, problem.backbone.decode(kept.estimate.samples))


def test_the_probe_watches_vanilla_and_sums_squared_errors(on_mixture):
    problem = on_mixture()
    estimators = {"exact": ExactEstimator(1.0), "tweedie": TweedieEstimator(1.0)}
    seen = []
    found = sample(problem, Method("p", estimators, {"probe": Probe()}), observe=seen.append)
    assert torch.equal(found.latents, sample(problem, VANILLA).latents)
    value, size = torch.zeros(4).double(), torch.zeros(4).double()
    for state in seen:
        value += (problem.score(state.x0) - state.value("exact")).square()
        size += state.shift("exact").square().sum(1)
    probe = found.info["probe"]
    assert probe["value"]["tweedie"] == pytest.approx(value.tolist(), rel=1e-4)
    assert probe["reference"] == pytest.approx(size.tolist(), rel=1e-4)


def test_tempering_is_das_s_schedule_on_a_hundred_steps(on_mixture):
    backbone = on_mixture().backbone
    for k in (0, 20, 50, 80, 99):
        expected = min(1.008**k - 1, 1.0)
        assert tempering(0.008, backbone.level(1 - k / 100)) == pytest.approx(expected)
    assert tempering(0.0, backbone.level(1.0)) == 1.0


def test_a_posterior_mean_of_point_masses_is_lookahead_s():
    samples = torch.tensor([[0.0], [1.0]]).double()
    mean = Lookahead(samples, torch.zeros(2).double(), 1.0).posterior_mean(
        torch.tensor([[0.5], [100.0]]).double(), 1.0, 0.5
    )
    torch.testing.assert_close(mean, torch.tensor([[0.5], [1.0]]).double())


def test_a_value_that_guidance_has_just_found_is_not_asked_for_again(on_mixture):
    problem = on_mixture()
    guided = {"guidance": Guidance()}
    both = guided | {"smc": Smc(every=0.1, start=0.0, stop=0.9)}
    for estimator in (TweedieEstimator(1.0), RolloutEstimator(3, 3, 1.0)):
        task = Task(problem.backbone, problem.reward, "ddpm", 10, 4, 0)
        once, twice = (
            sum(p["reward"] for p in measure(task, m, problem.prompt).calls.values())
            for m in (Method("g", {"e": estimator}, guided), Method("b", {"e": estimator}, both))
        )
        assert twice == once + 4  # the finished samples' own


def test_a_rollout_s_noise_belongs_to_image_and_candidate(on_mixture):
    """Candidate 0 of each image meets the draws that the image meets alone."""
    alone, three = on_mixture(), replace(on_mixture(), candidates=3)
    x = step_at(alone, batch=4).x
    for settings in (RolloutEstimator(2, 3, 1.0), TweedieEstimator(1.0, perturbations=3)):
        one = step_at(alone, {"e": settings}, x=x).value()
        all_three = step_at(three, {"e": settings}, x=x.repeat_interleave(3, 0)).value()
        torch.testing.assert_close(all_three[::3], one)
        assert not torch.allclose(all_three[1::3], one)


def test_a_renoise_below_the_last_level_still_takes_the_last_step(on_mixture):
    problem = on_mixture(steps=6)
    estimators = {"lookahead": LookaheadEstimator(n=30, steps=3, scale=1.0)}
    steers = {"start": BestOfLookahead(renoise=0.01), "best_of_n": BestOfN(2)}
    method = Method("r", estimators, steers)
    seen = []
    result = sample(problem, method, observe=seen.append)
    assert [s.index for s in seen] == [5] and len(result.images) == 4


def test_delivering_smoothed_lookahead_samples_costs_their_decoding(on_mixture):
    problem = on_mixture()
    for smoothing, decodes in ((0.0, 30), (0.2, 4 * 30 + 4)):
        settings = LookaheadEstimator(n=30, steps=3, scale=1.0, smoothing=smoothing)
        method = Method("b", {"lookahead": settings}, {"start": BestOfLookahead()})
        task = Task(problem.backbone, problem.reward, "ddpm", 10, 4, 0)
        phases = measure(task, method, problem.prompt).calls.values()
        assert sum(phase["decode"] for phase in phases) == decodes


def test_steers_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"comes last, got best_of_n, search"):
        Method("x", {}, {"best_of_n": BestOfN(2), "search": Search(2)})
