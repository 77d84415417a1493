"""The untimed call in front of a cell's first prompt: few steps, and never left out unsaid."""

import pytest

from bench.run.attempt import Bench
from bench.run.measure import Task
from methods.method import Method
from tests.small import small_method

OWN = [900, 700, 500, 300, 100]  # timesteps of a solver that takes no other number of steps


@pytest.fixture
def counting(problem):
    """A task's backbone that counts its denoiser's calls, under two solvers."""
    full = problem.backbone

    class Counting(type(full)):
        calls = 0

        def _call(self, *given):
            type(self).calls += 1
            return super()._call(*given)

    own = {"scheduler": "LCMScheduler", "stochastic": True, "timesteps": OWN}
    return Counting(full.pipeline, {**full.solvers, "own": own}, full.guidance)


@pytest.mark.parametrize(("solver", "steps"), [("ddpm", 3), ("own", 5)])
def test_a_warm_up_takes_few_steps_or_all_of_a_solver_s_own(problem, counting, solver, steps):
    task = Task(counting, problem.reward, solver, 5, 2, 0)
    bench = Bench(Method("again"), task, task)
    assert bench.warm_up([problem.prompt]) == ""
    assert type(counting).calls == 2 * steps, "the method and vanilla, each once"
    assert bench.task.steps == bench.yardstick.steps == 5


def test_a_warm_up_that_fails_goes_on_with_the_next_prompt_and_says_why_all_failed(problem):
    class Picky:
        name, differentiable = "picky", True

        def __call__(self, images, prompt):
            if prompt != "good":
                raise ArithmeticError("no number for this prompt")
            return images.mean(dim=(1, 2, 3))

    task = Task(problem.backbone, Picky(), "ddpm", 3, 2, 0)
    bench = Bench(small_method("best_of_n"), task, task)
    assert bench.warm_up(["bad", "good"]) == ""
    assert bench.warm_up(["bad", "worse"]) == "ArithmeticError: no number for this prompt"
