"""Restart and recurrence: which levels are visited, with which noise, and what it does."""

from dataclasses import dataclass, replace

import pytest
import torch

from bench.mixture.judge import wasserstein
from methods.base import Steer
from methods.method import Method
from methods.sample import Run, sample
from methods.steer import Recurrence, Restart

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
    truth = prior.sample(uniform.double(), normal.double())[0]
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
