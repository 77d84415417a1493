"""Steps ahead: where the solver would go with other noises, and a loop that goes on from one."""

from dataclasses import dataclass

import pytest
import torch

from methods.base import Steer
from methods.efr import TweedieEstimator
from methods.loop import denoise
from methods.method import Method
from methods.sample import Run, sample
from methods.state import Prepared
from methods.steer import Restart


@dataclass(frozen=True)
class Chosen(Steer):
    """Goes on with the sum of the solver's noise and ``other`` of its own, over √2."""

    other: float = 0.0
    look: bool = False

    def after(self, step, memory):
        own = step.normal(step.x.shape[1:], "chosen")
        ahead = step.ahead((step.noise + self.other * own) / (1 + self.other**2) ** 0.5)
        if self.look:
            assert ahead.x0.shape == step.x.shape
        return ahead


@dataclass
class Counted:
    """A backbone that counts the samples it denoises."""

    backbone: object
    samples: int = 0

    def __getattr__(self, name):
        return getattr(self.backbone, name)

    def posterior_mean(self, x, level, condition):
        self.samples += len(x)
        return self.backbone.posterior_mean(x, level, condition)


def counted(on_mixture, steer, **options):
    problem = on_mixture(**options)
    backbone = Counted(problem.backbone)
    object.__setattr__(problem, "backbone", backbone)
    found = sample(problem, Method("m", {}, {"own": steer}))
    return found.latents, backbone.samples


def test_going_on_with_the_solvers_own_noise_changes_nothing(on_mixture):
    plain = sample(on_mixture(), Method("vanilla")).latents
    latents, _ = counted(on_mixture, Chosen())
    assert torch.equal(plain, latents)
    other, _ = counted(on_mixture, Chosen(other=1.0))
    assert not torch.equal(plain, other)


def test_a_posterior_mean_found_ahead_is_not_computed_again(on_mixture):
    plain, calls = counted(on_mixture, Chosen(other=1.0), images=3, steps=6)
    looked, again = counted(on_mixture, Chosen(other=1.0, look=True), images=3, steps=6)
    assert torch.equal(plain, looked)
    assert calls == again == 3 * 6


def test_children_stand_at_the_next_level_where_the_solver_takes_them(on_mixture):
    problem = on_mixture(images=2, steps=5)
    method = Method("m", {"tweedie": TweedieEstimator(2.0)}, {})
    run = Run(problem, method, prepared=_prepared(problem, method))
    step = run.step(run.initial(problem.initial(2)), 0)
    noise = torch.randn(6, *step.x.shape[1:], generator=torch.Generator().manual_seed(0)).double()
    ahead = step.ahead(noise)
    for p in range(2):
        for k in range(3):
            solver = run.solver()
            alone = solver.step(step.x0[p : p + 1], 0, step.x[p : p + 1], noise[3 * p + k][None])
            torch.testing.assert_close(ahead.x[3 * p + k], alone[0])
    assert ahead.index == 1 and ahead.level == run.levels[1]
    mean = problem.backbone.posterior_mean(ahead.x, ahead.level, problem.condition)
    torch.testing.assert_close(ahead.value(), 2.0 * problem.score(mean))
    few = step.ahead(noise[[1, 5]], of=torch.tensor([0, 1]), child=7)
    torch.testing.assert_close(few.x, ahead.x[[1, 5]])
    assert few.problem.names(2) == [(0, 0, 7), (1, 0, 7)]
    assert ahead.problem.names(6)[4] == (1, 0, 1)


def test_at_the_clean_end_the_value_is_the_rewards(on_mixture):
    problem = on_mixture(images=2, steps=5)
    method = Method("m", {"tweedie": TweedieEstimator(2.0)}, {})
    run = Run(problem, method, prepared=_prepared(problem, method))
    x = denoise(problem, run.solver(), run.initial(problem.initial(2)))
    last = run.step(x, 4)
    ahead = last.ahead(torch.zeros_like(x))
    assert ahead.index == ahead.steps == 5
    assert torch.equal(ahead.x0, ahead.x)
    torch.testing.assert_close(ahead.value(), 2.0 * problem.score(ahead.x))


def test_children_draw_numbers_of_their_own(on_mixture):
    problem = on_mixture(images=2, steps=5)
    run = Run(problem, Method("vanilla"))
    step = run.step(run.initial(problem.initial(2)), 0)
    ahead = step.ahead(torch.zeros(4, *step.x.shape[1:], dtype=step.x.dtype))
    drawn = ahead.normal((3,), "perturbation")
    assert len({tuple(row) for row in drawn.tolist()}) == 4
    loops = run.step(step.x, 1).normal((3,), "perturbation")
    assert not torch.equal(drawn[::2], loops)


def test_an_upward_jump_forgets_what_was_known_ahead(on_mixture):
    steers = {"own": Chosen(other=1.0, look=True), "restart": Restart(1, (0.2, 0.6))}
    blind = {"own": Chosen(other=1.0), "restart": Restart(1, (0.2, 0.6))}
    made = [sample(on_mixture(), Method("m", {}, s)).latents for s in (steers, blind)]
    assert torch.equal(*made)


@pytest.mark.parametrize("size", [1, 2])
def test_images_sampled_apart_are_the_same(on_mixture, size):
    method = Method("m", {}, {"own": Chosen(other=1.0, look=True)})
    whole = sample(on_mixture(images=4), method).latents
    parts = sample(on_mixture(images=4), method, together=size).latents
    torch.testing.assert_close(whole, parts, rtol=1e-12, atol=1e-12)


def _prepared(problem, method):
    return Prepared(
        method.estimators, {k: e.prepare(problem) for k, e in method.estimators.items()}
    )
