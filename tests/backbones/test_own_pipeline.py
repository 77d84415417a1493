"""bench.sample: a pipeline that the user has loaded, any callable as the reward."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from pipelines import FAMILIES, PROMPT, problem, settings, theirs, tiny

import bench
from bench.backbones import load_backbone
from bench.errors import BenchError
from bench.store.images import to_pil
from methods.method import Method

SMALL = {"efr.lookahead.n": 3, "efr.lookahead.steps": 2}
FAST = {"steps": 2, "images": 2, "pixels": 16}


def red(images, prompt):
    return images[:, 0].mean(dim=(1, 2))


def unsteady(images, prompt):
    """Finite for the two images of the trial, not for three."""
    return red(images, prompt) if len(images) == 2 else red(images, prompt) * torch.nan


@pytest.fixture(scope="module")
def sd15():
    return tiny("sd15").pipeline


def state(pipeline):
    parts = [p for p in pipeline.components.values() if isinstance(p, torch.nn.Module)]
    kept = [[m.training for m in part.modules()] for part in parts]
    kept += [[(w.requires_grad, w.dtype) for w in part.parameters()] for part in parts]
    return kept, dict(pipeline.scheduler.config), vars(pipeline.scheduler).copy()


@pytest.mark.parametrize("family", FAMILIES)
def test_vanilla_is_the_pipelines_own_output_for_the_same_noise(family):
    backbone = tiny(family)
    solver, steps = ("euler", 4) if "flux" in family else ("ddpm", 4)
    if "flux" in family:
        backbone.tokens = 512 if family == "flux_dev" else 256
    made = bench.sample(
        backbone.pipeline, PROMPT, "vanilla", solver=solver, steps=steps, images=2, pixels=16
    )
    expected = to_pil(theirs(problem(backbone, solver, steps)))
    for ours, other in zip(made.images, expected, strict=True):
        assert np.abs(np.asarray(ours, int) - np.asarray(other, int)).max() <= 1
    assert made.rewards is None and made.calls["denoise"]["denoiser"] >= 2 * steps


@pytest.mark.parametrize("family", FAMILIES)
def test_lidar_with_a_function_as_the_reward_runs_on_every_family(family):
    pipeline = tiny(family).pipeline
    made = bench.sample(
        pipeline, PROMPT, reward=lambda x, p: x.mean((1, 2, 3)), settings=SMALL, **FAST
    )
    assert [picture.size for picture in made.images] == [(16, 16)] * 2
    means = [np.asarray(picture).mean() / 255 for picture in made.images]
    assert made.rewards == pytest.approx(means, abs=1e-4)
    assert made.calls["annotate"]["reward"] == 3
    assert made.seconds["total"] > 0


def test_images_of_another_size_are_the_pipelines_own_at_that_size():
    """Through the settings of a cell too, where SD and SDXL once ignored them."""
    own = {**settings("sd15"), "weights": "tiny"}
    backbone = load_backbone(own, "cpu", ["ddim"])[0]
    made = bench.sample(backbone.pipeline, PROMPT, "vanilla", solver="ddim", steps=2, pixels=32)
    assert {picture.size for picture in made.images} == {(32, 32)}


def test_the_pipeline_is_given_back_as_it_came(sd15):
    sd15.unet.train().requires_grad_(True)
    sd15.vae.eval().requires_grad_(False)
    sd15.vae.post_quant_conv.requires_grad_(True)
    before = state(sd15)
    bench.sample(sd15, PROMPT, "ug", reward=red, **FAST)
    assert state(sd15) == before
    with pytest.raises(BenchError, match="needs a reward that has a derivative"):
        bench.sample(sd15, PROMPT, "ug", reward=lambda x, p: [1.0, 2.0], **FAST)
    assert state(sd15) == before
    assert all(w.grad is None for w in sd15.unet.parameters())


@pytest.mark.parametrize(("family", "dtype"), [("sdxl", "float32"), ("sd15", "float16")])
def test_a_decoder_runs_in_float32_where_the_pipeline_itself_would_have_it_so(family, dtype):
    vae, seen = (pipeline := tiny(family).pipeline).vae, []
    vae.to(torch.float16)
    hook = vae.decoder.register_forward_pre_hook(lambda m, given: seen.append(given[0].dtype))
    try:
        bench.sample(pipeline, PROMPT, "vanilla", **FAST)
        assert seen == [getattr(torch, dtype)] and vae.dtype == torch.float16
    finally:
        hook.remove()
        vae.to(torch.float32)


def test_a_method_can_be_given_as_an_object_and_the_seed_decides(sd15):
    first, same, other = (
        bench.sample(sd15, PROMPT, Method("vanilla"), red, seed=seed, **FAST) for seed in (0, 0, 1)
    )
    assert first.rewards == same.rewards != other.rewards


def test_torchs_random_state_is_left_alone(sd15):
    before = torch.get_rng_state()
    bench.sample(sd15, PROMPT, reward=red, settings=SMALL, **FAST)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_program_that_itself_runs_under_hydra_keeps_its_own(sd15, tmp_path):
    from hydra import compose, initialize_config_dir

    (tmp_path / "mine.yaml").write_text("lr: 3")
    new = {**SMALL, "efr.lookahead.n": 5}  # not composed before
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        bench.sample(sd15, PROMPT, reward=red, settings=new, **FAST)
        assert compose("mine").lr == 3


class Sizes:
    """A reward that is an object and returns a list."""

    def __call__(self, images, prompt):
        return [float(len(prompt))] * len(images)


def test_an_object_that_returns_a_list_is_a_reward(sd15):
    assert bench.sample(sd15, "a cat", "best_of_n", Sizes(), **FAST).rewards == [5.0, 5.0]


WRONG = {
    "pipeline must be one of diffusers' StableDiffusionPipeline": {"pipeline": object()},
    "method must be one of .*did you mean 'lidar'": {"method": "lidarr"},
    "no setting 'method.efr.lookahead.m' of method lidar; did you mean 'method.efr.lookahead.n'": {
        "settings": {"efr.lookahead.m": 3}
    },
    "method.efr.lookahead.n must be an integer, got 'many'": {
        "settings": {"efr.lookahead.n": "many"}
    },
    "settings belong to a method given by name": {"method": Method("v"), "settings": {"a": 1}},
    "efr.lookahead.solver must be one of .*'dpn'; did you mean 'dpm'": {
        "settings": {"efr.lookahead.solver": "dpn"}
    },
    "solver must be one of ddpm, ddim, dpm, euler, got 'ddmp'; did you mean": {"solver": "ddmp"},
    "images must be an integer >= 1": {"images": 0},
    "prompt must be one text, got list": {"prompt": ["a", "b"]},
    "guidance must be a number >= 0": {"guidance": -1.0},
    "method lidar needs a reward": {"reward": None},
    "a reward must be a function .* got str": {"reward": "imagereward"},
    "must return one number for each image, shape .2,., got .2, 1.": {
        "reward": lambda images, prompt: red(images, prompt)[:, None]
    },
    "not finite on random images": {"reward": lambda images, prompt: red(images, prompt) / 0},
    "the reward red failed .*TypeError": {
        "reward": type("R", (), {"name": "red", "__call__": 1})()
    },
    "RuntimeError: out of ink": {"reward": lambda images, prompt: broken()},
    "method.steer.guidance needs a reward that has a derivative: choose another": {
        "method": "ug",
        "reward": lambda images, prompt: red(images.detach(), prompt),
    },
    "reward unsteady gave a value that is not finite": {"reward": unsteady},
    "method.steer.smc needs": {"method": "fk_smc", "solver": "ddim"},
}


def broken():
    raise RuntimeError("out of ink")


@pytest.mark.parametrize("said", WRONG)
def test_what_does_not_fit_is_said_in_one_sentence(said, sd15):
    given = {
        "pipeline": sd15,
        "prompt": PROMPT,
        "reward": red,
        "settings": {},
        **FAST,
        **WRONG[said],
    }
    if "settings" not in WRONG[said] and given.get("method", "lidar") == "lidar":
        given["settings"] = SMALL
    with pytest.raises(BenchError) as error:
        bench.sample(**given)
    assert re.search(said, str(error.value)), error.value


def test_a_pipeline_on_several_devices_is_refused(sd15):
    sd15.vae._hf_hook = object()
    try:
        with pytest.raises(BenchError, match="move it to one device"):
            bench.sample(sd15, PROMPT, "vanilla", **FAST)
    finally:
        del sd15.vae._hf_hook


def test_importing_bench_loads_no_library():
    code = "import sys, bench; sys.exit('torch' in sys.modules or 'hydra' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    with pytest.raises(AttributeError, match="has no attribute 'sampel'"):
        bench.sampel  # noqa: B018
