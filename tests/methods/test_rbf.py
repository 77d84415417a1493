"""Rollover budget forcing: its choices against a naive loop, and its budget."""

import pytest
import torch

from bench.run.measure import Task, measure
from methods.efr import ExactEstimator, TweedieEstimator
from methods.method import Method
from methods.sample import sample
from methods.steer import BestOfN, Rbf

VANILLA = Method("vanilla")


def method(budget, starts, estimator=None):
    return Method("r", {"e": estimator or TweedieEstimator(1.0)}, {"rbf": Rbf(budget, starts)})


def official(problem, image, budget, starts):
    """One image as rbf/rbf.py of KAIST-Visual-AI-Group/Flow-Inference-Time-Scaling at b65bb07 goes
    about it, with its counters; the start chosen is denoised twice here, which counts."""
    steps, solver = problem.steps, problem.backbone.solver(problem.solver, problem.steps)

    def look(x, index):
        level = solver.levels[index]
        mean = problem.backbone.posterior_mean(x, level, problem.condition)
        return mean, float(problem.score(mean))

    draws = [
        problem.noise(problem.backbone.latent_shape, "initial", image, s) for s in range(starts)
    ]
    initial = [solver.initial(draw.unsqueeze(0)) for draw in draws]
    x = max(initial, key=lambda x: look(x, 0)[1])
    used = starts + 1 if starts > 1 else 1
    mean, best = look(x, 0)
    default = max(1, (budget - used) // steps)
    quota, counter, index, kept, counts = default, 1, 0, None, []
    while used < budget:
        key = (
            ("solver", image, 0, index) if counter == 1 else ("child", image, 0, index, counter - 1)
        )
        noise = problem.noise(problem.backbone.latent_shape, *key).to(x)
        child = solver.step(mean, index, x, noise.unsqueeze(0))
        child_mean, reward = look(child, index + 1)
        used += 1
        rollover, proceed = reward > best, index < steps - 2
        if kept is None or reward > kept[0]:
            kept = (reward, child, child_mean)
        best = max(best, reward)
        if proceed and (rollover or counter == quota):
            _, x, mean = (reward, child, child_mean) if rollover else kept
            quota = default + (quota - counter if rollover else 0)
            counts.append(counter)
            counter, index, kept = 0, index + 1, None
        counter += 1
    return solver.step(kept[2], steps - 1, kept[1], None), [*counts, counter - 1]


@pytest.mark.parametrize(("budget", "starts"), [(60, 1), (61, 6), (23, 4)])
def test_it_goes_where_a_naive_loop_with_the_official_counters_goes(budget, starts, on_mixture):
    problem = on_mixture(images=3, steps=8)
    found = sample(problem, method(budget, starts))
    for image in range(3):
        latents, counts = official(problem, image, budget, starts)
        torch.testing.assert_close(found.latents[image], latents[0])
        assert [step[image] for step in found.info["children"]] == counts


@pytest.mark.parametrize(("budget", "starts"), [(9, 1), (40, 1), (40, 10)])
def test_its_calls_never_exceed_its_budget(budget, starts, on_mixture):
    problem = on_mixture(images=5, steps=9)
    task = Task(problem.backbone, problem.reward, problem.solver, problem.steps, 5, 0)
    phases = measure(task, method(budget, starts), problem.prompt).calls.values()
    assert sum(phase["denoiser"] for phase in phases) == 5 * budget
    assert sum(phase["reward"] for phase in phases) == 5 * budget


def test_a_budget_below_one_child_a_step_is_refused(on_mixture):
    with pytest.raises(ValueError, match="budget must be at least 10, one child at each of 10"):
        sample(on_mixture(steps=10), method(9, 1))
    with pytest.raises(ValueError, match="budget must be at least 15"):
        sample(on_mixture(steps=10), method(14, 5))


def test_the_reward_rises_with_the_budget_and_above_best_of_n_at_the_same_calls(on_mixture):
    problem = on_mixture(images=100, steps=10, path="flow", solver="vp_sde")
    rewards = [float(problem.score(sample(problem, m).latents).mean()) for m in (
        VANILLA, method(20, 1), method(50, 5), method(90, 9))]  # fmt: skip
    assert rewards == sorted(rewards)
    best_of_n = sample(problem, Method("b", {}, {"best_of_n": BestOfN(5)})).latents
    assert rewards[2] > problem.score(best_of_n).mean()


def test_the_first_child_is_the_solver_s_own(on_mixture):
    problem = on_mixture(images=4, steps=10)
    plain = sample(problem, VANILLA).latents
    assert torch.equal(sample(problem, method(10, 1)).latents, plain)


def test_an_estimator_that_looks_at_no_posterior_mean_finds_a_child_too(on_mixture):
    problem = on_mixture(images=50, steps=10)
    found = sample(problem, method(60, 1, ExactEstimator(1.0))).latents
    assert problem.score(found).mean() > problem.score(sample(problem, VANILLA).latents).mean()
