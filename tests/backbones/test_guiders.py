"""Guiders in the place of classifier-free guidance: diffusers' own numbers, cost, combinations."""

from dataclasses import replace
from functools import cache

import pytest
import torch
from diffusers import StableDiffusionPAGPipeline, StableDiffusionXLPAGPipeline
from diffusers.guiders import ClassifierFreeZeroStarGuidance
from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance
from pipelines import ours, problem, theirs, tiny

from bench.backbones import load_backbone
from bench.backbones.latent import Limits
from bench.backbones.perturbed import perturbed
from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.errors import BenchError
from bench.run.measure import Task, measure
from methods.efr.tweedie import TweedieEstimator
from methods.interfaces import Level
from methods.method import Method
from methods.sample import sample
from methods.steer.apg import Apg, Projecting
from methods.steer.cfg_zero import CfgZero, ZeroStar
from methods.steer.guidance import Guidance
from methods.steer.pag import Pag
from methods.steer.smc import Smc

LEVEL = Level(300.0, 0.7, 0.3, 0.3)


class Redness:
    name, differentiable = "redness", True

    def __call__(self, images, prompt):
        return images[:, 0].mean((1, 2)) - images[:, 1:].mean((1, 2, 3))


def only(steer, **others):
    return Method("guider", {}, {"guider": steer, **others})


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("eta", [0.0, 0.4])
@pytest.mark.parametrize("rescale", [0.0, 3.0])
@pytest.mark.parametrize("momentum", [0.0, -0.5])
def test_apg_is_diffusers_projected_guidance_on_the_same_predictions(eta, rescale, momentum):
    """Of diffusers 0.42, in the paper's formulation, whose weight is w − 1; several steps."""
    steer, buffer = Apg(eta, rescale, momentum, weight=4.0), MomentumBuffer(momentum)
    last = torch.zeros(3, 4, 5, 5)
    for step in range(3):
        x, prompted, empty = drawn(3, 3, 4, 5, 5, seed=step)
        now = torch.empty_like(last)
        found = Projecting(steer, last, now)(x, LEVEL, 99.0, prompted, empty, None)
        wanted = normalized_guidance(prompted, empty, 3.0, buffer, eta, rescale, True)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
        last = now


def test_cfg_zero_is_diffusers_guider_on_the_same_velocities():
    """Of diffusers 0.42; the first step has no velocity."""
    guider = ClassifierFreeZeroStarGuidance(guidance_scale=4.0, zero_init_steps=1)
    x, prompted, empty = drawn(3, 2, 4, 5, 5)
    velocities = [(x - mean) / LEVEL.sigma for mean in (prompted, empty)]
    for step in range(2):
        guider.set_state(step, 10, None)
        velocity = guider.forward(*velocities).pred
        found = ZeroStar(step < 1, None)(x, LEVEL, 4.0, prompted, empty, None)
        torch.testing.assert_close(found, x - LEVEL.sigma * velocity, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("family", "pipeline"),
    [("sd15", StableDiffusionPAGPipeline), ("sdxl", StableDiffusionXLPAGPipeline)],
)
def test_pag_is_diffusers_own_pipeline_on_the_same_noise(family, pipeline):
    given = problem(loaded(family), "ddim", 4)
    wanted = theirs(given, pipeline, pag_scale=2.0)
    found = sample(given, only(Pag(scale=2.0))).images
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)
    assert (found - ours(given)).abs().max() > 1e-3


@cache
def loaded(family):
    if family != "miniature_flow":
        return tiny(family)
    return load_backbone(cell_settings([f"backbone={family}"], [])["backbone"])[0]


@pytest.mark.parametrize(("family", "solver"), [("sd15", "ddim"), ("miniature_flow", "euler")])
@pytest.mark.parametrize("neutral", [Apg(1.0, 0.0, 0.0), Pag(0.0)], ids=["apg", "pag"])
def test_at_neutral_settings_a_guider_is_plain_guidance_to_rounding(family, solver, neutral):
    given = problem(loaded(family), solver, 4)
    vanilla = sample(given, Method("vanilla")).latents
    found = sample(given, only(neutral)).latents
    torch.testing.assert_close(found, vanilla, atol=2e-4, rtol=2e-4)
    own = replace(neutral, weight=given.backbone.guidance + 1)
    assert (sample(given, only(own)).latents - vanilla).abs().max() > 1e-2


def test_cfg_zero_moves_nothing_in_its_first_step():
    given, seen = problem(loaded("miniature_flow"), "euler", 4), []
    sample(given, only(CfgZero()), observe=seen.append)
    torch.testing.assert_close(seen[1].x, seen[0].x, atol=1e-6, rtol=0)
    assert (seen[2].x - seen[1].x).abs().max() > 1e-2


MOMENTUM = Apg(rescale=1.0, momentum=-0.5)


@pytest.mark.parametrize("steer", [MOMENTUM, Pag()], ids=["apg", "pag"])
def test_batches_of_any_size_make_the_same_images(steer):
    given = problem(loaded("sd15"), "ddpm", 4, images=3)
    whole = sample(given, only(steer)).latents
    chunked = replace(given, backbone=replace(given.backbone, limits=Limits(3, 1)))
    torch.testing.assert_close(sample(chunked, only(steer)).latents, whole, atol=1e-4, rtol=1e-4)
    apart = sample(given, only(steer), together=2).latents
    torch.testing.assert_close(apart, whole, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("steer", [MOMENTUM, Pag()], ids=["apg", "pag"])
def test_gradients_of_some_particles_at_a_time_make_the_same_images(steer):
    given = replace(problem(loaded("sd15"), "ddpm", 4, images=3), reward=Redness())
    guided = Method("both", {"t": TweedieEstimator(20.0)}, {"g": steer, "guidance": Guidance()})
    whole = sample(given, guided).latents
    parts = sample(replace(given, graph=1), guided).latents
    torch.testing.assert_close(parts, whole, atol=1e-4, rtol=1e-4)
    assert (whole - sample(given, only(steer)).latents).abs().max() > 1e-3


def test_momentum_follows_a_resampling():
    """A particle goes on from its ancestor's last update."""
    given = replace(problem(loaded("sd15"), "ddpm", 4, images=3), reward=Redness())
    smc = Smc(every=0.25, start=0.25, stop=0.3)
    method = Method("smc", {"t": TweedieEstimator(300.0)}, {"g": MOMENTUM, "smc": smc})
    seen = []
    sample(given, method, observe=seen.append)
    before, after = seen[1], seen[2]
    guider = after.condition.guider
    updates = before.condition.guider.now
    ancestors = torch.cdist(guider.last.flatten(1), updates.flatten(1)).argmin(dim=1)
    assert torch.equal(guider.last, updates[ancestors])
    assert ancestors.tolist() != [0, 1, 2], "it was resampled"


def test_a_third_evaluation_is_counted():
    backbone = loaded("sd15")
    for steer, evaluations in ((MOMENTUM, 2), (Pag(), 3)):
        task = Task(backbone, Redness(), "ddpm", 4, 2, 0)
        calls = measure(task, only(steer), "a photo of a red car").calls["denoise"]
        assert calls["denoiser"] == evaluations * 2 * 4


def test_the_attention_is_given_back_as_it_was():
    unet = loaded("sd15").denoiser
    before = dict(unet.attn_processors)
    with pytest.raises(KeyError), perturbed(unet):
        changed = [n for n, p in unet.attn_processors.items() if p is not before[n]]
        assert changed and all("mid_block" in n and "attn1" in n for n in changed)
        raise KeyError
    assert all(p is before[n] for n, p in unet.attn_processors.items())
    with pytest.raises(ValueError, match="this model has none"), perturbed(torch.nn.Linear(1, 1)):
        pass


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("backbone=flux_dev method=pag", "needs a UNet under classifier-free guidance"),
        ("backbone=mixture method=apg", "needs a UNet under classifier-free guidance"),
        ("backbone=sdxl solver=lcm steps=4 method=apg", "needs a UNet under classifier-free"),
        ("backbone=miniature backbone.guidance=1 method=pag", "needs a UNet under classifier-free"),
        ("method=cfg_zero", "needs a flow-matching model"),
        ("method=date +method.steer.apg={}", "under the prompt's own embedding"),
        ("method=rollout +method.steer.pag={}", "under the prompt's own embedding"),
        ("method=demon +method.steer.apg={}", "before they are taken"),
        ("method=apg +method.steer.pag={}", "under the prompt's own embedding"),
        ("method=apg method.steer.apg.eta=2", r"eta must be in \[0, 1\]"),
        ("method=apg method.steer.apg.momentum=1", "momentum must be in"),
        ("method=pag method.steer.pag.weight=0.5", "weight must be a number >= 1"),
        ("backbone=miniature_flow method=cfg_zero method.steer.cfg_zero.zero_init=-1", ">= 0"),
    ],
)
def test_what_does_not_take_a_guider_says_so(overrides, message):
    with pytest.raises(BenchError, match=message):
        make_cell(cell_settings(overrides.split(), []))


@pytest.mark.parametrize(
    "overrides",
    [
        *(
            f"backbone={b} method={m}"
            for b in ("miniature", "sd15", "sdxl")
            for m in ("apg", "pag")
        ),
        *(f"backbone=miniature_flow method={m}" for m in ("apg", "cfg_zero", "pag")),
        "method=ug +method.steer.apg={}",
        "method=pag +method.steer.best_of_n={n:2}",
    ],
)
def test_what_takes_a_guider_is_a_valid_cell(overrides):
    make_cell(cell_settings(overrides.split(), []))
