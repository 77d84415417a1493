"""Distances to the target against brute force, and the judge's record."""

from itertools import permutations

import numpy as np
import pytest
import torch

from bench import stats
from bench.errors import BenchError
from bench.mixture.judge import (
    TruthJudge,
    apart,
    load,
    mmd,
    reference,
    shares,
    target,
    variance,
    wasserstein,
)
from bench.mixture.problems import generate, mixture, reward
from bench.prompts.sources import check_source

PROMPT = generate(1, 0)[0]["prompt"]


def points(n, seed, d=2):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)).double()


def test_wasserstein_is_the_best_of_all_pairings():
    a, b = points(6, 0), points(6, 1)
    costs = [float((a - b[list(p)]).square().sum(1).mean()) for p in permutations(range(6))]
    assert wasserstein(a, b) == pytest.approx(min(costs) ** 0.5)
    assert wasserstein(a, a + torch.tensor([3.0, 4.0])) == pytest.approx(5)


def test_mmd_is_the_kernel_distance_of_a_naive_loop():
    a, b, width = points(5, 2), points(4, 3), 0.7

    def k(x, y):
        return float(torch.exp(-(x - y).square().sum() / (2 * width**2)))

    def mean(u, v):
        return sum(k(x, y) for x in u for y in v) / (len(u) * len(v))

    expected = (mean(a, a) + mean(b, b) - 2 * mean(a, b)) ** 0.5
    assert mmd(a, b, width) == pytest.approx(expected)
    assert mmd(a, a, width) == 0


def test_variance_is_the_mean_squared_distance_over_pairs():
    a = points(7, 4)
    pairs = [float((x - y).square().sum()) for i, x in enumerate(a) for y in a[:i]]
    assert variance(a) == pytest.approx(sum(pairs) / len(pairs))
    assert variance(a[:1]) == 0


@pytest.mark.parametrize("name", ["quadratic", "linear"])
def test_the_target_is_the_prior_times_exp_lambda_r(name):
    tilted, prior = target(PROMPT, name, 0.8, 2, 4), mixture(PROMPT, 2, 4)
    x = points(20, 5)
    gap = tilted.log_prob(x) - prior.log_prob(x) - 0.8 * reward(name, PROMPT, 2)(x)
    torch.testing.assert_close(gap, gap[:1].expand(20), atol=1e-9, rtol=0)


def test_exact_samples_judge_as_the_floor_and_the_prior_s_do_not():
    from bench.mixture.judge import exact_samples
    from bench.noise import Ledger

    judge = TruthJudge(("quadratic", "linear"), "quadratic", 1.0, 4)
    metadata = generate(1, 0)[1]
    prompt = metadata["prompt"]
    perfect = exact_samples(target(prompt, "quadratic", 1.0, 2, 4), 300, prompt, 77)
    ledger = Ledger(5, prompt)
    prior = mixture(prompt, 2, 4).sample(ledger.uniform(300, "x"), ledger((300, 2), "x"))
    good, bad = judge.judge(metadata, perfect), judge.judge(metadata, prior)
    assert good["distance"]["w2"] < 1.5 * good["distance"]["w2_floor"]
    assert good["distance"]["mmd"] < 1.8 * good["distance"]["mmd_floor"]
    assert bad["distance"]["w2"] > 5 * bad["distance"]["w2_floor"]
    assert len(good["scores"]["linear"]) == 300 and set(good["target"]) == {"quadratic", "linear"}


def test_the_shares_count_the_samples_of_each_mode():
    made = mixture("distant mixture 0 of seed 0", 2, 4)
    near = made.means.repeat_interleave(torch.tensor([1, 4, 0, 5]), dim=0) + 0.1
    found = shares(made, near)
    assert found.tolist() == pytest.approx([0.1, 0.4, 0.0, 0.5])
    assert apart(found, torch.tensor([0.3, 0.2, 0.0, 0.5])) == pytest.approx(0.2)


@pytest.mark.parametrize("name", ["quadratic", "linear"])
def test_distant_modes_are_told_apart_by_reward_and_points_of_one_hardly(name):
    """So that what is left to do is to choose a mode as often as the target does."""
    for row in generate(3, 0, ["distant"]):
        prior = mixture(row["prompt"], 2, 4)
        tilted = target(row["prompt"], name, 1.0, 2, 4)
        moved = (tilted.means - prior.means).norm(dim=-1).max()
        weights = tilted.log_weights.softmax(-1) - prior.log_weights.softmax(-1)
        assert moved < 0.15 and weights.abs().sum() / 2 > 0.2
        assert torch.pdist(prior.means).min() > 3.5


def test_exact_samples_have_the_target_s_modes_and_the_prior_s_have_not():
    from bench.mixture.judge import exact_samples

    judge, (row,) = TruthJudge(("quadratic",), "quadratic", 1.0, 4), generate(1, 0, ["distant"])
    prompt = row["prompt"]
    perfect = exact_samples(target(prompt, "quadratic", 1.0, 2, 4), 300, prompt, 77)
    vanilla = exact_samples(mixture(prompt, 2, 4), 300, prompt, 78)
    good, bad = (judge.judge(row, points)["distance"] for points in (perfect, vanilla))
    assert good["modes"] < 3 * good["modes_floor"] < bad["modes"] / 3


def test_an_unknown_kind_of_mixture_is_refused():
    with pytest.raises(ValueError, match=r"prompts\.tags: a tag must be one of .*did you mean"):
        generate(1, 0, ["distnt"])
    with pytest.raises(ValueError, match=r"prompts\.tags must be a list such as \[a,b\]"):
        check_source({"source": "mixture", "n": 1, "seed": 0, "tags": "distant"})


def test_the_floor_falls_with_the_number_of_samples():
    few, many = (reference(PROMPT, "quadratic", 1.0, n, 2, 4) for n in (50, 500))
    assert many.floors["w2"] < few.floors["w2"] and many.floors["mmd"] < few.floors["mmd"]


def test_truth_needs_a_mixture_and_a_target():
    with pytest.raises(BenchError, match="needs backbone=mixture and target_scale"):
        load(["clip"], "clip", None, {"kind": "miniature"})


def test_a_perfect_sampler_is_at_the_floor_give_or_take_its_interval():
    """On 24 problems, at which its distances scatter widely one by one."""
    prompts = [row["prompt"] for seed in range(6) for row in generate(2, seed)]
    truths = [reference(prompt, "quadratic", 1.0, 40, 2, 4) for prompt in prompts]
    for name in ("w2", "mmd"):
        ratios = np.array([truth.perfect[name] / truth.floors[name] for truth in truths])
        drawn = stats.resample([p.split(" ")[0] for p in prompts], 2000, np.random.default_rng(0))
        found = stats.geometric(ratios, drawn)
        assert found.low < 1 < found.high and found.high - found.low < 0.5
        assert ratios.max() > 1.1 and ratios.min() < 0.9
