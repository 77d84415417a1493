"""Restart, DNO and TFG, and guidance's gradient control, against their definitions."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import torch
from states import step_at

from bench.mixture.judge import wasserstein
from methods.base import Estimator, Steer
from methods.efr import LookaheadEstimator, TweedieEstimator
from methods.gradients import lengths
from methods.method import Method
from methods.path import SCHEDULES, share
from methods.potentials import log_probability
from methods.sample import Run, sample
from methods.steer import Dno, Guidance, Recurrence, Restart, Tfg

VANILLA = Method("vanilla")


def visited(problem, **steers):
    """The route of a run: (position, visit) of every pass."""
    method = Method("m", {}, steers)
    run = Run(problem, method)
    levels = [*run.levels, run.solver().end]
    route = list(range(len(levels)))
    for steer in method.steers.values():
        route = steer.route(route, levels)
    return route


def test_restart_solves_its_interval_again_from_above(on_mixture):
    route = visited(on_mixture(), restart=Restart(2, (0.3, 0.5)))
    pass_over = [5, 6, 7]  # t/T = 0.5, 0.4, 0.3
    assert route == [*range(8), *pass_over, *pass_over, 8, 9, 10]
    assert visited(on_mixture(), restart=Restart(1, (0.31, 0.32))) == list(range(11))


def test_recurrence_repeats_each_step_and_composes_with_restart(on_mixture):
    both = visited(on_mixture(steps=4), a=Restart(1, (0.25, 0.5)), b=Recurrence(1, (0.4, 0.6)))
    # t/T = 1, 0.75, 0.5, 0.25, 0: restart goes 3 -> 2, recurrence doubles each step from 2
    assert both == [0, 1, 2, 3, 2, 3, 2, 3, 2, 3, 4]


def test_restart_leaves_the_distribution_as_it_is(on_mixture):
    problem = on_mixture(images=600, steps=40, solver="ddim")
    plain = sample(problem, VANILLA).latents
    again = sample(problem, Method("r", {}, {"restart": Restart(2, (0.2, 0.6))})).latents
    assert not torch.equal(plain, again)
    torch.testing.assert_close(plain.mean(0), again.mean(0), atol=0.2, rtol=0)
    torch.testing.assert_close(plain.std(0), again.std(0), atol=0.2, rtol=0)


def test_restart_forgets_an_error_in_what_it_started_from(on_mixture):
    """An ODE keeps the error of its start; noise added on the way contracts it."""
    problem = on_mixture(images=500, steps=20, solver="ddim")
    prior = problem.condition.prior
    g = torch.Generator().manual_seed(5)
    normal, uniform = torch.randn(1, 500, 2, generator=g), torch.rand(1, 500, generator=g)
    truth = prior.sample(normal.double(), uniform.double())[0]
    distances = []
    for steers in ({}, {"restart": Restart(3, (0.1, 0.8))}):
        run = Run(problem, Method("m", {}, steers))
        wrong = 0.2 * problem.initial(500)
        distances.append(wasserstein(run(run.initial(wrong)).latents, truth))
    assert distances[1] < 0.6 * distances[0]


def test_a_multistep_solver_starts_afresh_after_added_noise(on_mixture):
    """The first step from above an interval is one of first order, as at the very beginning."""
    problem = on_mixture(solver="dpm", steps=6)
    solver = problem.backbone.solver("dpm", 6)
    histories = []
    original, renewed = type(solver).step, []

    def watched(self, x0, index, x, noise):
        histories.append((index, self._last is None))
        return original(self, x0, index, x, noise)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(solver), "step", watched)
        sample(problem, Method("r", {}, {"restart": Restart(1, (0.3, 0.7))}))
    renewed = [index for index, fresh in histories if fresh]
    assert renewed == [0, 2] and len(histories) == 6 + 3  # t/T = 0.67, 0.5, 0.33 again


def test_particles_are_resampled_at_a_level_s_last_visit_alone(on_mixture):
    weighed = []

    @dataclass(frozen=True)
    class Weighing(Steer):
        def select(self, step, memory):
            weighed.append((step.index, step.visit))

    steers = {"weighing": Weighing(), "restart": Restart(2, (0.4, 0.6))}
    sample(on_mixture(steps=5), Method("w", {}, steers))
    assert weighed == [(0, 0), (1, 0), (2, 2), (3, 0), (4, 0)]


def test_a_route_that_leaves_out_a_level_is_refused(on_mixture):
    @dataclass(frozen=True)
    class Skipping(Steer):
        def route(self, route, levels):
            return [0, 2, 3]

    with pytest.raises(ValueError, match="steps from 0 to 1 or back, not to 2"):
        sample(on_mixture(steps=3), Method("s", {}, {"skipping": Skipping()}))


def test_a_recurrence_after_the_last_level_steps_to_where_the_solver_ends(problem):
    """Stable Diffusion's last DDIM step ends at ᾱ_0 < 1, and so must its repetition."""
    seen = []
    steers = {"recurrence": Recurrence(1, (0.0, 0.2))}
    solver = problem.backbone.solver("ddpm", problem.steps)
    assert 0 < solver.end.sigma < 0.1, "the pipeline's own config does not end clean"
    original = type(solver).step

    def watched(self, x0, index, x, noise):
        found = original(self, x0, index, x, noise)
        seen.append((index, x0, x, noise, found))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(solver), "step", watched)
        sample(problem, Method("r", {}, steers))
    assert [index for index, *_ in seen] == [0, 1, 2, 3, 3]
    first, second = seen[-2], seen[-1]
    up = problem.normal_like(first[2], "upward", 3, 1)
    ratio = solver.levels[3].alpha / solver.end.alpha
    std = (solver.levels[3].sigma ** 2 - ratio**2 * solver.end.sigma**2) ** 0.5
    torch.testing.assert_close(second[2], ratio * first[4] + std * up)
    assert not torch.equal(first[3], second[3]), "a second visit has noise of its own"


@pytest.mark.parametrize("solver", ["ddpm", "ddim"])
def test_a_recurrence_steps_down_with_the_target_solver_s_own_eta(on_mixture, solver):
    """Under an ODE the way down draws nothing: only the way up is named in the ledger."""
    drawn = []

    class Listening:
        def __init__(self, noise):
            self.noise = noise

        def stack(self, shape, purpose, keys):
            drawn.append(purpose)
            return self.noise.stack(shape, purpose, keys)

    problem = on_mixture(solver=solver, steps=3)
    problem = replace(problem, noise=Listening(problem.noise))
    sample(problem, Method("r", {}, {"recurrence": Recurrence(1)}))
    assert drawn.count("upward") == 3
    assert drawn.count("solver") == (6 if solver == "ddpm" else 0)


def test_dno_climbs_the_reward_and_its_regularizer_holds_it_back(on_mixture):
    problem = on_mixture(steps=6, images=3)
    plain = problem.score(sample(problem, VANILLA).latents)

    def after(**options):
        steer = Dno(iterations=8, rate=0.05, shuffles=1, **options)
        return problem.score(sample(problem, Method("d", {}, {"dno": steer})).latents)

    free, held = after(regularizer=0.0), after(regularizer=1e4, width=2)
    assert (free > plain).all()
    assert held.mean() < free.mean()


def test_dno_s_gradient_reaches_every_noise_as_finite_differences_say(on_mixture):
    problem = on_mixture(steps=4, images=1)
    run = Run(problem, VANILLA)
    g = torch.Generator().manual_seed(0)
    z = torch.randn(5, 1, 2, generator=g).double().requires_grad_()

    def reward(z):
        return problem.score(run.latents(run.initial(z[0]), z[1:])).sum()

    (gradient,) = torch.autograd.grad(reward(z), z)
    assert (gradient[1:-1].abs() > 1e-6).all(), "of every noise that a step adds"
    with torch.no_grad():
        for place in range(4):
            bump = torch.zeros_like(z)
            bump[place, 0, 1] = 1e-5
            slope = (reward(z + bump) - reward(z - bump)) / 2e-5
            torch.testing.assert_close(gradient[place, 0, 1], slope, rtol=1e-4, atol=1e-7)


def test_dno_s_run_on_given_noise_is_the_loop_s_on_the_ledger_s(on_mixture):
    problem = on_mixture(steps=5)
    run = Run(problem, VANILLA)
    x = run.initial(problem.initial(4))
    z = torch.stack([problem.normal_like(x, "solver", k) for k in range(5)])
    assert torch.equal(run(x, noise=z).latents, sample(problem, VANILLA).latents)
    assert torch.equal(run.latents(x, z), run(x, noise=z).latents)


def test_dno_clips_each_sample_s_gradient_whatever_the_batch(on_mixture):
    """A reward a thousand times as steep gives the same first step of AdamW's clipped gradient."""
    problem = on_mixture(steps=4, images=3)
    method = Method("d", {}, {"dno": Dno(iterations=3, rate=0.1, regularizer=0.0)})

    @dataclass(frozen=True)
    class Steep:
        factor: torch.Tensor  # of each image

        def __call__(self, images, prompt):
            return self.factor[: len(images)] * problem.reward(images, prompt)

    seen = [
        sample(replace(problem, reward=Steep(torch.tensor(f))), method).latents
        for f in ([1e3, 1e3, 1e3], [1e3, 1e6, 1e3])
    ]
    torch.testing.assert_close(seen[0], seen[1], atol=1e-4, rtol=0)


def test_dno_under_an_ode_is_made_of_its_initial_noise_alone(on_mixture):
    drawn = []

    class Listening:
        def __init__(self, noise):
            self.noise = noise
            self.uniform = noise.uniform

        def stack(self, shape, purpose, keys):
            drawn.append(purpose)
            return self.noise.stack(shape, purpose, keys)

    problem = on_mixture(solver="ddim", steps=5)
    steer = Dno(iterations=1, regularizer=1.0, width=1, shuffles=1)
    method = Method("d", {}, {"dno": steer})
    sample(replace(problem, noise=Listening(problem.noise)), method)
    assert drawn == ["initial"]
    with pytest.raises(ValueError, match="width must be at most 2, got 4"):
        sample(problem, Method("d", {}, {"dno": Dno(iterations=1)}))


def test_the_log_probability_of_noise_is_its_definition_and_tells_unlikely_noise():
    g = torch.Generator().manual_seed(0)
    z = torch.randn(2, 400, generator=g)
    likely = log_probability(z, 4)
    torch.testing.assert_close(likely, torch.full((2,), -2 * math.log(2)))  # both at their bound
    shifted = z + 1.0
    m, k = 100, 4
    mean = shifted.reshape(2, m, k).mean(1).norm(dim=1)
    second = torch.stack([v.T @ v / m for v in shifted.reshape(2, m, k)])
    gap = torch.linalg.svdvals(second - torch.eye(k))[:, 0]
    spread = (1 + gap).sqrt() - 1 - math.sqrt(k / m)
    expected = -m * mean**2 / (2 * k) - m * spread**2 / 2
    torch.testing.assert_close(log_probability(shifted, 4), expected)


@pytest.mark.parametrize(
    "settings",
    [
        {"mu": 0.0, "sigma": 0.0},  # DPS
        {"mu": 0.0, "sigma": 0.3},  # LGD-MC
        {"rho": 0.0, "sigma": 0.0, "inner": 2},  # MPGD
        {"rho": 0.5, "mu": 0.4, "sigma": 0.2, "inner": 2, "rho_schedule": "decrease"},
    ],
    ids=["dps", "lgd", "mpgd", "all"],
)
@pytest.mark.parametrize("path", ["vp", "flow"])
def test_tfg_moves_x_s_as_its_algorithm_does(on_mixture, settings, path):
    """Algorithm 1 written out in its own variance-preserving coordinates x̂ = x/√(α² + σ²), with the
    gradients by autograd, for one step of DDIM."""
    problem = on_mixture(solver="ddim", path=path)
    steer = Tfg(scale=0.7, draws=3, **settings)
    step = step_at(problem, fraction=0.6, index=4, graph=True)
    levels = [*step.solver.levels, step.solver.end]
    assert levels[4].fraction == pytest.approx(step.level.fraction)
    again = step_at(problem, fraction=0.6, index=4, graph=True)  # a graph serves once
    moved = step.solver.step(step.x0 + steer.shift(again, {}), 4, step.x, None)
    plain = step.solver.step(step.x0, 4, step.x, None)

    bars = [v.alpha**2 / (v.alpha**2 + v.sigma**2) for v in levels]
    ratios = [a / b for a, b in pairwise(bars)]
    up, down = ratios[4] * 10 / sum(ratios), (1 - ratios[4]) * 10 / sum(1 - r for r in ratios)
    rho = steer.rho * (down if steer.rho_schedule == "decrease" else up)
    std = steer.sigma * (1 - bars[4]) ** 0.5
    m = 3 if std else 1
    noise = problem.noise.stack((m, 2), "smoothing", [(i, 0, 4) for i in range(3)]).double()

    def log_f(x0):
        rewards = problem.score((x0[:, None] + std * noise).reshape(-1, 2)).reshape(3, m)
        return (0.7 * rewards).exp().mean(1).log().sum()

    norm, below = ((v.alpha**2 + v.sigma**2) ** 0.5 for v in levels[4:6])
    x_hat = (step.x.detach() / norm).requires_grad_()
    mean = problem.backbone.posterior_mean(norm * x_hat, step.level, problem.condition)
    (by_x_hat,) = torch.autograd.grad(log_f(mean), x_hat)
    clean = step.x0.detach()
    for _ in range(steer.inner):
        clean = clean.requires_grad_()
        (by_x0,) = torch.autograd.grad(log_f(clean), clean)
        clean = (clean + steer.mu * up * by_x0).detach()
    alpha_t = ratios[4] ** 0.5
    wanted = rho * by_x_hat / alpha_t + bars[5] ** 0.5 * (clean - step.x0)
    torch.testing.assert_close(moved - plain, below * wanted, atol=1e-9, rtol=1e-7)


def test_schedules_share_a_strength_out_over_the_steps(on_mixture):
    solver = on_mixture().backbone.solver("ddpm", 8)
    levels = [*solver.levels, solver.end]
    for schedule in SCHEDULES:
        shares = [share(schedule, levels, k) for k in range(8)]
        assert sum(shares) == pytest.approx(8)
        order = {"increase": 1, "decrease": -1, "constant": 0}[schedule]
        assert all(order * (b - a) >= -1e-9 for a, b in pairwise(shares))


@pytest.mark.parametrize("path", ["vp", "flow"])
def test_relative_guidance_moves_the_prediction_by_s_times_its_norm(on_mixture, path):
    problem = on_mixture(path=path)
    estimators = {"tweedie": TweedieEstimator(3.0)}
    for relative in ("velocity", "noise"):
        step = step_at(problem, estimators, graph=True)
        shift = Guidance(scale=0.2, relative=relative).shift(step, {}).detach()
        alpha, sigma, x, x0 = step.level.alpha, step.level.sigma, step.x, step.x0
        before = (x - x0) / sigma if relative == "velocity" else (x - alpha * x0) / sigma
        moved = shift / sigma if relative == "velocity" else alpha * shift / sigma
        torch.testing.assert_close(lengths(moved), 0.2 * lengths(before).detach())
        cosine = torch.cosine_similarity(shift, step.shift(), dim=1)
        torch.testing.assert_close(cosine, torch.ones(3).double())


def test_relative_guidance_lets_what_is_not_finite_be_seen(on_mixture):
    @dataclass(frozen=True)
    class Broken(Estimator):
        requires, scale = frozenset(), 1.0

        def shift(self, step, ready):
            return torch.full_like(step.x, float("nan"))

    steers = {"guidance": Guidance(relative="velocity")}
    with pytest.raises(FloatingPointError, match="out of range"):
        sample(on_mixture(), Method("b", {"broken": Broken()}, steers))


def test_no_shift_moves_the_noise_prediction_where_all_is_noise(on_mixture):
    estimators = {"lookahead": LookaheadEstimator(n=20, steps=3, scale=3.0)}
    for path in ("vp", "flow"):
        step = step_at(on_mixture(path=path), estimators, fraction=1.0)
        assert not Guidance(scale=0.2, relative="noise").shift(step, {}).any()


def test_clipped_guidance_keeps_its_direction_and_bounds_its_root_mean_square(on_mixture):
    estimators = {"lookahead": LookaheadEstimator(n=20, steps=3, scale=3.0)}
    step = step_at(on_mixture(), estimators)
    raw = Guidance(scale=2.0).shift(step, {})
    rms = lengths(raw) / 2**0.5
    bound = float(rms.median())
    clipped = Guidance(scale=2.0, clip=bound).shift(step, {})
    torch.testing.assert_close(lengths(clipped) / 2**0.5, rms.clamp(max=bound))
    torch.testing.assert_close(torch.cosine_similarity(raw, clipped), torch.ones(3).double())


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: Guidance(relative="speed"), "relative must be one of velocity, noise"),
        (lambda: Guidance(clip=-1.0), "clip must be a number >= 0"),
        (lambda: Restart(repeats=-1), "repeats must be an integer >= 0"),
        (lambda: Restart(interval=(0.5, 0.2)), r"interval must be \[low, high\]"),
        (lambda: Dno(iterations=-1), "iterations must be an integer >= 0"),
        (lambda: Dno(rate=-0.1), "rate must be a number >= 0"),
        (lambda: Tfg(rho_schedule="rising"), "rho_schedule must be one of increase"),
        (lambda: Tfg(draws=0), "draws must be an integer >= 1"),
        (
            lambda: Tfg(sigma_schedule="increase"),
            "sigma_schedule must be one of decrease, constant",
        ),
    ],
)
def test_settings_out_of_range_name_the_key_and_what_is_allowed(made, message):
    with pytest.raises(ValueError, match=message):
        made()
