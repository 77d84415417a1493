"""FMRG against the official code's numbers, and against guidance by a velocity's norm."""

import json
from pathlib import Path

import pytest
import torch
from linear import problem_of
from torch.testing import assert_close

from methods.efr import TweedieEstimator
from methods.method import Method
from methods.sample import Run, sample
from methods.state import Prepared
from methods.steer import Fmrg, Guidance

# Computed by running FluxFlowMapSampler.sample_reward_guided of github.com/jrrhuang/fmrg, file
# fluxfm_sampler_reward.py at commit be485ba, in double precision: its flow map replaced by
# ``student`` below, its VAE by the identity, its schedule by one without shift, its reward ensemble
# by minus ``reward``. "noise": what three seeds draw, rounded.
PEER = json.loads((Path(__file__).parent / "peers" / "fmrg.json").read_text())
WANTED = torch.linspace(0.2, 0.8, 16, dtype=torch.float64)


def student(x, level):
    t = level.sigma
    return 0.3 * torch.tanh(x) * (1 - t) + 0.25 * torch.sin(x) + 0.1 * t


def reward(images, prompt):
    return -(((images + 1) / 2).clamp(0, 1) - WANTED).square().sum(dim=1)


def drawn(steer, count):
    noise = torch.tensor(PEER["noise"][:count], dtype=torch.float64)
    return sample(problem_of(student, reward, noise), Method("fmrg", {}, {"fmrg": steer}))


@pytest.mark.parametrize(
    ("name", "steer"),
    [
        ("j", Fmrg("any", 2.0, grid=16, guided=4, warmup=2, starts=3, tail=2)),
        ("j_alone", Fmrg("any", 3.0, grid=16, guided=3, warmup=0, starts=1, tail=3)),
        ("j_adam", Fmrg("any", 0.5, inner=2, grid=16, guided=4, warmup=2, starts=3, tail=2)),
        (
            "e",
            Fmrg("any", 0.3, False, inner=3, grid=8, guided=4, warmup=2, starts=3, tail=2),
        ),
    ],
)
def test_it_makes_the_official_code_s_samples(name, steer):
    found = drawn(steer, steer.starts).images[0]
    assert_close(found, torch.tensor(PEER[name], dtype=torch.float64), atol=1e-7, rtol=0)


def test_the_best_of_the_warm_up_goes_on_as_if_it_had_been_alone():
    settings = {"grid": 16, "guided": 4, "warmup": 2, "tail": 2}
    chosen = drawn(Fmrg("any", 2.0, starts=3, **settings), 3).latents
    alone = [
        sample(
            problem_of(student, reward, torch.tensor([noise], dtype=torch.float64)),
            Method("fmrg", {}, {"fmrg": Fmrg("any", 2.0, starts=1, **settings)}),
        ).latents
        for noise in PEER["noise"]
    ]
    assert [bool(torch.allclose(chosen, other)) for other in alone] == [False, False, True]


@pytest.mark.parametrize("path", ["vp", "flow"])
def test_fmrg_j_moves_as_guidance_by_the_velocity_s_norm_where_that_is_defined(path, on_mixture):
    """On the flow path, behind its first step: at pure noise guidance has no gradient. On another
    path the velocity is that of the flow path which it is brought to."""
    problem = on_mixture(solver="ddim", path=path, steps=8)
    guided = Method("g", {"t": TweedieEstimator()}, {"g": Guidance(0.7, relative="velocity")})
    run = Run(problem, guided, Prepared(guided.estimators, {"t": None}))
    step = run.step(run.initial(problem.initial(4)).requires_grad_(), 3)
    with torch.enable_grad():
        moved = guided.steers["g"].shift(step, {})
    levels = run.levels
    steer = Fmrg("ddim", 0.7)
    ours = steer.step(problem, step.x.detach(), levels[3], levels[4], 3)
    if path == "vp":
        length = levels[3].alpha + levels[3].sigma
        gap = [(step.x / k - step.x0).norm(dim=1, keepdim=True) for k in (length, 1.0)]
        moved = moved * gap[0] / gap[1]
    theirs = step.solver.step(step.x0 + moved, 3, step.x, None)
    assert_close(ours, theirs.detach(), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("steer", [Fmrg("flow_map"), Fmrg("flow_map", 0.3, False, inner=3)])
def test_with_the_exact_student_it_raises_the_reward(steer, on_mixture):
    problem = on_mixture(solver="ddim", images=32)
    plain = problem.score(sample(problem, Method("vanilla")).latents).mean()
    steered = problem.score(sample(problem, Method("f", {}, {"f": steer})).latents).mean()
    assert steered > plain + 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"through": False}, "inner must be an integer >= 1, got 0"),
        ({"warmup": 0}, "warmup must be an integer >= 1, got 0"),
        ({"guided": 3}, "guided must be an integer >= 4, got 3"),
        ({"grid": 7}, "grid must be an integer >= 8, got 7"),
        ({"solver": None}, "solver must name the solver of a distilled denoiser"),
    ],
)
def test_settings_that_do_not_fit_each_other_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Fmrg(**settings)
