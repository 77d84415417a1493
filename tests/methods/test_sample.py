"""The loop: vanilla against diffusers, costs against formulas, determinism, every steer at work."""

from dataclasses import replace

import pytest
import torch
from named import LOOKAHEAD, METHODS, VANILLA

from bench.run.measure import Task, measure
from methods.base import Estimator
from methods.efr import LookaheadEstimator, RolloutEstimator, TweedieEstimator
from methods.method import Method
from methods.sample import sample
from methods.steer import (
    BestOfN,
    Guidance,
    Smc,
)


def task(problem, **changes):
    values = {"images": 4, "steps": 4, "solver": "ddpm"} | changes
    return Task(problem.backbone, problem.reward, seed=0, **values)


@pytest.mark.parametrize(
    ("solver", "eta"), [("ddim", 0.0), ("ddpm", 1.0), ("dpm", None)], ids=["ddim", "ddpm", "dpm"]
)
def test_vanilla_equals_the_diffusers_pipeline_on_the_same_noise(problem, pipeline, solver, eta):
    from bench.backbones.solver import make_scheduler

    steps = 6
    problem = replace(problem, solver=solver, steps=steps)
    ours = sample(problem, VANILLA)
    pipe = type(pipeline)(**pipeline.components, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = make_scheduler(pipeline.scheduler, problem.backbone.solvers[solver])
    extra = {}
    if eta:
        pipe.scheduler.step = _with_ledger_noise(pipe.scheduler, problem, eta)
    theirs = pipe(
        problem.prompt,
        num_inference_steps=steps,
        guidance_scale=problem.backbone.guidance,
        num_images_per_prompt=problem.images,
        latents=problem.initial(problem.images),
        output_type="pt",
        **extra,
    ).images
    torch.testing.assert_close(ours.images, theirs, atol=1e-4, rtol=0)


def _with_ledger_noise(scheduler, problem, eta):
    """The scheduler's step fed with the ledger's noise, in place of its own generator."""
    original, count = scheduler.step, iter(range(1000))

    def step(output, t, x, **kwargs):
        k = next(count)
        noise = torch.stack([problem.noise(x.shape[1:], "solver", i, 0, k) for i in range(len(x))])
        return original(output, t, x, eta=eta, variance_noise=noise, return_dict=False)

    return step


def totals(measured):
    kinds = measured.calls["prepare"]
    return {k: sum(phase[k] for phase in measured.calls.values()) for k in kinds}


N, TAU = 4, 4  # delivered images, target steps


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # LiDAR: 2·n·δ + 2·N·τ denoiser samples, n + N decodes, n rewards
        ("lidar", {"denoiser": 2 * 6 * 2 + 2 * N * TAU, "decode": 6 + N, "reward": 6}),
        # UG: 2·N·τ forward and backward, N decodes and rewards a step both ways, N last decodes
        (
            "ug",
            {
                "denoiser": 2 * N * TAU,
                "denoiser_backward": 2 * N * TAU,
                "decode": N * TAU + N,
                "decode_backward": N * TAU,
                "reward": N * TAU,
                "reward_backward": N * TAU,
            },
        ),
        # rollout: 2·N·τ + 2·N·τ·n·(k − 1) denoiser samples, N·τ·n rewards; the last of DDIM's
        # timesteps is 1, which leaves no level between it and clean
        (
            "rollout",
            {
                "denoiser": 2 * N * TAU + 2 * N * (TAU - 1) * 3,
                "decode": N * TAU * 3 + N,
                "reward": N * TAU * 3,
            },
        ),
        # FK: N decodes and rewards at each weighing, and at the end
        ("fk_smc", {"denoiser": 2 * N * TAU, "decode": N * 4, "reward": N * 4}),
        ("best_of_n", {"denoiser": 2 * N * 3 * TAU, "decode": N * 3, "reward": N * 3}),
        ("best_of_lookahead", {"denoiser": 2 * 6 * 2, "decode": 6, "reward": 6}),
    ],
)
def test_counted_calls_equal_the_documented_formula(problem, name, expected):
    counted = totals(measure(task(problem), METHODS[name], problem.prompt))
    zero = dict.fromkeys(counted, 0)
    assert counted == zero | expected


def test_fk_smc_weighs_at_three_of_four_steps():
    assert Smc().resampling_steps(4) == {1, 2, 3}


def test_counts_agree_with_hooks_on_the_modules(problem):
    seen = {"denoiser": 0, "decode": 0}
    backbone = problem.backbone

    def hook(kind):
        def count(module, args, output):
            seen[kind] += len(args[0])

        return count

    handles = [
        backbone.denoiser.register_forward_hook(hook("denoiser")),
        backbone.vae.decoder.register_forward_hook(hook("decode")),
    ]
    counted = totals(measure(task(problem), METHODS["lidar_smc"], problem.prompt))
    for handle in handles:
        handle.remove()
    assert seen == {k: counted[k] for k in seen}


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_bytes(problem, name):
    first = measure(task(problem), METHODS[name], problem.prompt).delivered
    second = measure(task(problem), METHODS[name], problem.prompt).delivered
    assert first.tobytes() == second.tobytes()
    assert first.shape == (4, 8, 8, 3)


@pytest.mark.parametrize(
    "method",
    [
        Method("a", {"lookahead": LookaheadEstimator(n=6, steps=2)}, {"guidance": Guidance(0.0)}),
        Method("b", {"tweedie": TweedieEstimator(0.0)}, {"guidance": Guidance(3.0)}),
        Method("c", {"rollout": RolloutEstimator(3, 2, 0.0)}, {"guidance": Guidance(3.0)}),
        Method(
            "d", {"lookahead": LookaheadEstimator(6, "dpm", 2, None, 0.0)}, {"guidance": Guidance()}
        ),
    ],
    ids=["s=0", "tweedie λ=0", "rollout λ=0", "lookahead λ=0"],
)
def test_no_guidance_is_vanilla(problem, method):
    vanilla = sample(problem, VANILLA).latents
    torch.testing.assert_close(sample(problem, method).latents, vanilla, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["vanilla", "lidar"])
def test_an_image_does_not_depend_on_the_batch_size_but_for_rounding(problem, name):
    method = METHODS.get(name, VANILLA)
    four = sample(problem, method).latents
    two = sample(replace(problem, images=2), method).latents
    torch.testing.assert_close(four[:2], two, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["lidar", "ug", "rollout", "best_of_n"])
def test_the_guiding_reward_rises_above_vanilla_s(problem, name):
    def mean_reward(method):
        images = sample(problem, method).images
        return float(problem.reward(images, problem.prompt).mean())

    problem = replace(problem, steps=10)
    many = sample(replace(problem, images=12), VANILLA).images
    rewards = problem.reward(many, problem.prompt)
    assert mean_reward(METHODS[name]) > rewards.mean() + 0.2 * rewards.std()


def test_best_of_n_delivers_the_best_of_each_image_s_own_candidates(problem):
    candidates = []
    for j in range(3):  # vanilla, with the noise of candidate j in place of candidate 0
        other = SwappedCandidate(problem.noise, j)
        candidates.append(sample(replace(problem, noise=other), VANILLA).images)
    every = torch.stack(candidates, dim=1)
    rewards = problem.reward(every.flatten(0, 1), problem.prompt).reshape(4, 3)
    best = sample(problem, METHODS["best_of_n"]).images
    for image in range(4):
        wanted = every[image, rewards[image].argmax()]
        torch.testing.assert_close(best[image], wanted, atol=1e-4, rtol=0)


class SwappedCandidate:
    def __init__(self, noise, candidate):
        self.noise, self.candidate = noise, candidate

    def stack(self, shape, purpose, keys):
        swapped = [(image, self.candidate, *key) for image, _, *key in keys]
        return self.noise.stack(shape, purpose, swapped)


def test_best_of_one_is_vanilla_to_the_bit(problem):
    one = sample(problem, Method("bon", {}, {"best_of_n": BestOfN(1)})).latents
    assert torch.equal(one, sample(problem, VANILLA).latents)


def test_best_of_lookahead_delivers_the_highest_rewards_in_order(problem):
    delivered = sample(problem, METHODS["best_of_lookahead"])
    prepared = LOOKAHEAD["lookahead"].prepare(problem).estimate
    wanted = prepared.samples[prepared.rewards.argsort(descending=True)[:4]]
    torch.testing.assert_close(delivered.latents, wanted)


def test_resampled_particles_part_by_their_own_noise(problem):
    strong = {"tweedie": TweedieEstimator(scale=1000.0)}
    method = Method("smc", strong, {"smc": Smc(start=0.5, stop=0.6)})
    states = []
    sample(problem, method, observe=lambda s: states.append(s.x))
    gaps = torch.pdist(states[-1].flatten(1))
    assert gaps.min() > 1e-2


def test_guidance_acts_only_inside_its_interval(problem):
    seen = []

    class Spy(Estimator):
        requires, scale = frozenset(), 1.0

        def shift(self, step, ready):
            seen.append(step.level.fraction)
            return torch.zeros_like(step.x)

    method = Method("spied", {"spy": Spy()}, {"guidance": Guidance(1.0, (0.2, 0.8))})
    sample(replace(problem, solver="ddim", steps=10), method)
    fractions = [level.fraction for level in problem.backbone.solver("ddim", 10).levels]
    assert seen == [f for f in fractions if 0.2 < f <= 0.8]
    assert len(seen) < len(fractions)
