"""Draft Best-of-N: which noise it samples in full, and that the drafts tell something."""

import pytest
import torch

from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.errors import BenchError
from methods.method import Method
from methods.sample import sample
from methods.steer.best_of_n import BestOfN
from methods.steer.draft_best_of_n import DraftBestOfN

VANILLA = Method("vanilla")


def drafted(n=4, steps=3, **others):
    return Method("drafted", {}, {"draft": DraftBestOfN(n, "dpm", steps), **others})


def run(backbone, condition, solver, x):
    for k, level in enumerate(solver.levels):
        x = solver.step(backbone.posterior_mean(x, level, condition), k, x, None)
    return x


def test_the_noise_of_the_best_draft_is_sampled_in_full(on_mixture):
    problem = on_mixture(solver="ddim")
    backbone, condition = problem.backbone, problem.condition
    delivered = []
    for image in range(problem.images):
        noises = [problem.noise(backbone.latent_shape, "initial", image, j) for j in range(4)]
        scores = []
        for noise in noises:
            solver = backbone.solver("dpm", 3)
            draft = run(backbone, condition, solver, solver.initial(noise[None].double()))
            scores.append(float(problem.reward(backbone.decode(draft), problem.prompt)))
        solver = backbone.solver("ddim", problem.steps)
        noise = noises[scores.index(max(scores))]
        delivered.append(run(backbone, condition, solver, solver.initial(noise[None].double())))
    torch.testing.assert_close(sample(problem, drafted()).latents, torch.cat(delivered))


def test_of_one_draft_it_is_vanilla_with_a_stochastic_solver_too(on_mixture):
    for solver in ("ddim", "ddpm"):
        problem = on_mixture(solver=solver)
        ours, vanilla = (sample(problem, m).latents for m in (drafted(n=1), VANILLA))
        assert torch.equal(ours, vanilla)


def test_drafts_raise_the_reward_and_full_samples_of_the_same_noises_raise_it_more(on_mixture):
    problem = on_mixture(images=400, solver="ddim")
    best_of_n = Method("best", {}, {"best_of_n": BestOfN(4)})
    vanilla, ours, best = (
        float(problem.score(sample(problem, m).latents).mean())
        for m in (VANILLA, drafted(), best_of_n)
    )
    assert vanilla + 0.5 * (best - vanilla) < ours <= best


def test_each_of_several_candidates_has_drafts_of_its_own(on_mixture):
    problem = on_mixture(images=2, solver="ddim")
    both = drafted(n=2, best_of_n=BestOfN(3))
    whole = drafted(n=6)
    assert (
        problem.score(sample(problem, both).latents)
        >= problem.score(sample(problem, whole).latents) - 1e-12
    ).all(), "the best draft of six is among the best of three pairs"


def test_its_solver_is_checked_and_loaded_like_the_lookaheads():
    lines = ["method=draft_best_of_n", "backbone=miniature", "solver=ddim"]
    solver = "method.steer.draft_best_of_n.solver="
    cell = make_cell(cell_settings([*lines, solver + "lcm", "steps=4"], []))
    assert cell.solvers == ["ddim", "lcm"]
    with pytest.raises(BenchError, match=r"method.steer.draft_best_of_n.solver must be one of"):
        make_cell(cell_settings([*lines, solver + "lmc"], []))
