"""Strings of tokens: the kernel, the table, and the lookahead rules, held against enumeration."""

from dataclasses import dataclass, replace
from itertools import pairwise, product
from math import log

import pytest
import torch
from torch.nn.functional import one_hot

from bench.noise import Ledger
from bench.tokens.backbone import TableBackbone, TokenSolver
from methods import kernel
from methods.efr.lookahead import Lookahead
from methods.interfaces import CLEAN
from methods.kernel import UniformTokens, token_level
from methods.problem import Problem
from methods.steer.token_guidance import ratio_rule, token_rule
from methods.table import Table

L, K = 3, 4
SCALE = 1.5
EVERY = torch.tensor(list(product(range(K), repeat=L)))  # all strings, (64, 3)


@dataclass(frozen=True)
class TableReward:
    """A reward of every string, looked up."""

    values: torch.Tensor
    name: str = "table"
    differentiable: bool = False

    def __call__(self, images, prompt):
        return self.values[(images * K ** torch.arange(L - 1, -1, -1)).sum(dim=-1)]

    def closed_form(self, prompt, prior):
        return self.values


def world(seed=0):
    """A prior over all strings, and their rewards."""
    g = torch.Generator().manual_seed(seed)
    weights = 1.5 * torch.randn(len(EVERY), generator=g, dtype=torch.float64)
    prior = Table(weights.log_softmax(0), one_hot(EVERY, K).double())
    return prior, torch.randn(len(EVERY), generator=g, dtype=torch.float64)


def problem(seed=0, **changes):
    prior, rewards = world(seed)
    backbone = TableBackbone(prior)
    made = Problem(
        backbone, TableReward(rewards), Ledger(0, "p"), "p", backbone.encode("p"), 4,
        "ancestral", 10,
    )  # fmt: skip
    return replace(made, **changes)


def likelihood(a, level):
    """q(x_t | x_0) of every x_t (64) given every x_0 (64), by its definition."""
    same = (EVERY[:, None] == EVERY[None]).double()
    per_token = level.alpha * same + (1 - level.alpha) / K
    return per_token.prod(dim=-1)


@pytest.mark.parametrize("t", [0.05, 0.5, 0.95, 1.0])
def test_posterior_value_and_shift_equal_bayes_rule(t):
    prior, rewards = world()
    level = token_level(t, K)
    joint = likelihood(EVERY, level) * prior.probabilities()  # x_t by x_0
    posterior = joint / joint.sum(dim=1, keepdim=True)
    x = one_hot(EVERY, K).double()
    found = prior.posterior(x, level.alpha, level.sigma)
    torch.testing.assert_close(found.probabilities(), posterior, atol=1e-12, rtol=1e-10)
    value, tilted = found.tilted(rewards, SCALE)
    tilt = (SCALE * rewards).exp()
    torch.testing.assert_close(value, (posterior @ tilt).log(), atol=1e-10, rtol=0)
    tilted_posterior = posterior * tilt / (posterior @ tilt)[:, None]
    mean = torch.einsum("tn,nlk->tlk", tilted_posterior, x)
    torch.testing.assert_close(tilted.mean(), mean, atol=1e-10, rtol=0)


@pytest.mark.parametrize("t", [0.05, 0.5, 1.0])
def test_the_lookahead_estimate_of_one_hot_samples_is_their_exact_posterior(t):
    """With σ² = α/g the formula for Gaussian latents is Bayes' rule on strings."""
    level = token_level(t, K)
    g = torch.Generator().manual_seed(1)
    drawn = torch.randint(len(EVERY), (30,), generator=g)
    samples, rewards = one_hot(EVERY[drawn], K).double(), torch.randn(30, generator=g).double()
    x = one_hot(EVERY, K).double()
    weights = likelihood(EVERY, level)[:, drawn]
    tilt = (SCALE * rewards).exp()
    plain = torch.einsum("tn,nlk->tlk", weights / weights.sum(1, keepdim=True), samples)
    tilted = weights * tilt
    mean = torch.einsum("tn,nlk->tlk", tilted / tilted.sum(1, keepdim=True), samples)
    estimate = Lookahead(samples, rewards, SCALE)
    at = (x, level.alpha, level.sigma)
    value = (tilted.sum(1) / weights.sum(1)).log()
    torch.testing.assert_close(estimate.posterior_mean(*at), plain, atol=1e-12, rtol=0)
    torch.testing.assert_close(estimate.shift(*at), mean - plain, atol=1e-12, rtol=0)
    torch.testing.assert_close(estimate.value(*at), value, atol=1e-12, rtol=0)


@pytest.mark.parametrize(("t", "s"), [(1.0, 0.7), (0.6, 0.5), (0.3, 0.0)])
def test_a_transition_sums_over_what_the_token_may_have_been(t, s):
    start, end = token_level(t, K), token_level(s, K)
    g = torch.Generator().manual_seed(2)
    p = torch.rand(5, L, K, generator=g, dtype=torch.float64)
    p = p / p.sum(-1, keepdim=True)
    x = one_hot(torch.randint(K, (5, L), generator=g), K).double()
    wanted = torch.zeros_like(p)
    for b, place, a in product(range(5), range(L), range(K)):
        seen = int(x[b, place].argmax())
        for y in range(K):
            up = start.alpha / end.alpha * (y == seen) + (1 - start.alpha / end.alpha) / K
            down = end.alpha * (y == a) + (1 - end.alpha) / K
            whole = start.alpha * (a == seen) + (1 - start.alpha) / K
            wanted[b, place, y] += p[b, place, a] * up * down / whole
    found = kernel.transition(x, p, start, end)
    torch.testing.assert_close(found, wanted, atol=1e-13, rtol=0)
    torch.testing.assert_close(found.sum(-1), torch.ones(5, L).double())
    torch.testing.assert_close(kernel.mean_behind(found, x, start, end), p, atol=1e-12, rtol=0)


def test_the_reverse_step_of_the_posterior_is_udlm_s_plug_in_of_the_leave_one_out_posterior():
    """UDLM (arXiv 2412.10193, equation 13) puts u = p(x_0^l | the other tokens) into
    q(x_s | x_t, x_0); here the step takes p ∝ u · q(x_t | x_0)."""
    start, end = token_level(0.7, K), token_level(0.6, K)
    g = torch.Generator().manual_seed(3)
    u = torch.rand(6, L, K, generator=g, dtype=torch.float64)
    u = u / u.sum(-1, keepdim=True)
    x = one_hot(torch.randint(K, (6, L), generator=g), K).double()
    a, b = start.alpha, end.alpha
    r = a / b
    numerator = (
        K * a * x * u + (r - a) * x + (b - a) * u + (b - a) * (1 - b) / (K * b)
    )  # fmt: skip
    plug_in = numerator / (K * a * (x * u).sum(-1, keepdim=True) + 1 - a)
    p = u * (x * log(1 + K * a / (1 - a))).exp()
    p = p / p.sum(-1, keepdim=True)
    torch.testing.assert_close(kernel.transition(x, p, start, end), plug_in, atol=1e-12, rtol=0)


def test_letters_are_drawn_in_proportion_to_their_weights():
    weights = torch.tensor([0.5, 0.3, 0.2, 0.0]).double()
    g = torch.Generator().manual_seed(4)
    noise = torch.randn(20_000, 1, K, generator=g)
    shares = kernel.drawn(weights.expand(20_000, 1, K), noise).mean(dim=(0, 1))
    torch.testing.assert_close(shares, weights, atol=0.012, rtol=0)
    assert shares[3] == 0
    uniform = TokenSolver(5, K).initial(noise).mean(dim=(0, 1))
    torch.testing.assert_close(uniform, torch.full((K,), 0.25), atol=0.012, rtol=0)


def test_renoising_takes_a_string_to_the_law_of_the_higher_level():
    low, high = token_level(0.2, K), token_level(0.6, K)
    g = torch.Generator().manual_seed(5)
    clean = one_hot(EVERY[:1], K).double().expand(20_000, L, K)
    noise = torch.randn(2, 20_000, L, K, generator=g)
    x = UniformTokens().renoise(clean, CLEAN, low, noise[0])
    x = UniformTokens().renoise(x, low, high, noise[1])
    wanted = high.alpha * clean[0] + (1 - high.alpha) / K
    torch.testing.assert_close(x.mean(0), wanted, atol=0.015, rtol=0)


def test_a_table_is_sampled_in_proportion_to_its_weights():
    prior, _ = world()
    g = torch.Generator().manual_seed(6)
    drawn = prior.sample(torch.rand(50_000, generator=g, dtype=torch.float64))
    counts = torch.bincount(string_of(drawn), minlength=len(EVERY)) / 50_000
    torch.testing.assert_close(counts.double(), prior.probabilities(), atol=0.006, rtol=0)


def string_of(x):
    """The number of each string, (B,)."""
    return (x.argmax(-1) * K ** torch.arange(L - 1, -1, -1)).sum(-1)


def law(steps, guided):
    """The exact law of delivered strings, every path summed: no sampling error at all."""
    prior, _ = world()
    x = one_hot(EVERY, K).double()
    law = torch.full((len(EVERY),), 1 / len(EVERY)).double()
    levels = [*TokenSolver(steps, K).levels, CLEAN]
    for start, end in pairwise(levels):
        posterior = prior.posterior(x, start.alpha, start.sigma)
        p = guided(posterior, x, start, end)
        step = kernel.transition(x, p, start, end).clamp(min=0)
        step = step / step.sum(-1, keepdim=True)
        # P(y | x) = Π_l step[x, l, y_l]
        moves = torch.stack([step[:, place][:, EVERY[:, place]] for place in range(L)]).prod(0)
        law = law @ moves
    return law


def distance(rule, steps=512):
    """Total variation of a rule at n = ∞, the prior itself for its samples, to the target."""
    prior, rewards = world()
    target = prior.tilted(rewards, SCALE)[1]

    def guided(posterior, x, start, end):
        plain, tilted = posterior.mean(), posterior.tilted(rewards, SCALE)[1].mean()
        if rule == "token":
            return token_rule(x, plain, target.mean(), prior.mean(), start, end, 1.0)
        return tilted if rule == "additive" else ratio_rule(plain, tilted, plain, 1.0)

    return float((law(steps, guided) - target.probabilities()).abs().sum() / 2)


def test_vanilla_reaches_the_prior():
    prior, _ = world()
    reached = law(512, lambda posterior, x, start, end: posterior.mean())
    assert (reached - prior.probabilities()).abs().sum() / 2 < 0.005


@pytest.mark.parametrize("rule", ["additive", "ratio"])
def test_the_additive_and_the_ratio_rule_reach_the_target(rule):
    assert distance(rule) < 0.01
    assert distance(rule, 64) > 2 * distance(rule)


def test_the_paper_s_rule_token_by_token_does_not_reach_the_target():
    assert distance("token") > 0.03
    assert abs(distance("token") - distance("token", 256)) < 0.003, "more steps do not help"


def test_the_estimate_s_error_falls_as_one_over_the_root_of_n():
    prior, rewards = world()
    level, x = token_level(0.6, K), one_hot(EVERY, K).double()
    posterior = prior.posterior(x, level.alpha, level.sigma)
    truth = posterior.tilted(rewards, SCALE)[1].mean() - posterior.mean()
    g = torch.Generator().manual_seed(7)
    sizes, errors = [64, 256, 1024, 4096], []
    for n in sizes:
        squares = []
        for _ in range(20):
            drawn = prior.sample(torch.rand(n, generator=g, dtype=torch.float64))
            estimate = Lookahead(drawn, rewards[string_of(drawn)], SCALE)
            error = estimate.shift(x, level.alpha, level.sigma) - truth
            squares.append(error.square().mean())
        errors.append(torch.stack(squares).mean().sqrt())
    logs = torch.tensor(sizes).double().log(), torch.stack(errors).log()
    slope = float((logs[0] - logs[0].mean()) @ (logs[1] - logs[1].mean()))
    slope /= float((logs[0] - logs[0].mean()).square().sum())
    assert -0.6 < slope < -0.4
