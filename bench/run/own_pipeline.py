"""``bench.sample``: one prompt, sampled with a method on a pipeline that the user has loaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.singleton import Singleton
from torch import Tensor

from bench.backbones import on_pipeline
from bench.config.build import build_method, check_method, offered
from bench.config.compose import cell_settings, groups
from bench.errors import BenchError, explained
from bench.rewards.function import FunctionReward, as_reward
from bench.run.fit import measure_fitting
from bench.run.measure import Task
from bench.store.images import from_host, to_pil
from methods.method import Method
from methods.settings import at_least, one_of, whole

if TYPE_CHECKING:
    from PIL.Image import Image

    from bench.backbones.latent import LatentDiffusion

# The class of a pipeline -> the backbone whose settings it takes over. FLUX.1-dev's own lookahead
# solver is a distilled denoiser, which the user's pipeline does not have.
FAMILIES = {
    "StableDiffusionPipeline": ["backbone=sd15"],
    "StableDiffusionXLPipeline": ["backbone=sdxl"],
    "FluxPipeline": ["backbone=flux_dev", "lookahead.solver=euler"],
}
SCHNELL = ["backbone=flux_schnell"]


@dataclass(frozen=True)
class Samples:
    """What one prompt was sampled to, and what that cost.

    ``rewards``: of each image, None where no reward was given. ``seconds`` and ``calls`` are by
    phase, as in a record of a cell; ``info`` holds the method's own diagnostics.
    """

    images: list[Image]
    rewards: list[float] | None
    seconds: Mapping[str, float]
    calls: Mapping[str, Mapping[str, int]]
    info: Mapping[str, Any]


def sample(
    pipeline: Any,
    prompt: str,
    method: str | Method = "lidar",
    reward: Callable[[Tensor, str], Any] | None = None,
    *,
    images: int = 4,
    steps: int | None = None,
    solver: str | None = None,
    guidance: float | None = None,
    pixels: int | None = None,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> Samples:
    """Sample ``images`` images of one prompt with a method, on a diffusers pipeline as it is.

    ``pipeline``: Stable Diffusion 1 or 2, SDXL or FLUX, on its device; nothing about it is changed
    for good. ``method``: the name of a file in conf/method, or a Method. ``reward``: any function
    of images (B, 3, H, W) in [0, 1] and the prompt that returns B numbers. ``settings`` of the
    method by name: {"efr.lookahead.n": 25}. ``steps``, ``solver``, ``guidance`` and ``pixels`` (the
    side of an image) are the family's own where they are None: conf/backbone.

    Raises BenchError for what does not fit, before anything is sampled.
    """
    config = _settings(pipeline, method, settings or {})
    solvers = {n: s for n, s in config["backbone"]["solvers"].items() if not s.get("denoiser")}
    own = {**config["backbone"], "solvers": solvers, "students": {}}
    given = {"guidance": guidance, "pixels": pixels}
    own |= {key: value for key, value in given.items() if value is not None}
    solver, steps = solver or config["solver"], config["steps"] if steps is None else steps
    with explained():
        if not isinstance(prompt, str):
            raise ValueError(f"prompt must be one text, got {type(prompt).__name__}")
        whole("images", images, 1)
        whole("steps", steps, 1)
        whole("seed", seed, 0)
        one_of("solver", solver, list(solvers))
        for key, low in (("pixels", 8), ("guidance", 0)):
            if own.get(key) is not None:
                at_least(key, own[key], low)
        if own.get("pixels") and own["pixels"] % 8:
            raise ValueError(f"pixels must be a multiple of 8, got {own['pixels']}")
        chosen = method if isinstance(method, Method) else build_method(config["method"])
        for where, part in chosen.parts():
            if (other := getattr(part, "solver", None)) is not None:
                one_of(f"{where}.solver", other, list(solvers))
    with untouched(pipeline):
        backbone = on_pipeline(pipeline, own)
        scored = _reward(chosen, reward, prompt, backbone)
        check_method(chosen, offered(own, solver, scored.differentiable), images)
        task = Task(backbone, scored, solver, steps, images, seed)
        try:
            measured, _ = measure_fitting(task, chosen, prompt)
        except FloatingPointError as error:
            raise BenchError(str(error)) from error
        pictures = from_host(measured.delivered)
        rewards = None
        if reward is not None:
            with torch.no_grad():
                rewards = scored(pictures.to(backbone.device), prompt).tolist()
    return Samples(to_pil(pictures), rewards, measured.seconds, measured.calls, measured.info)


def _settings(pipeline: Any, method: str | Method, given: Mapping[str, Any]) -> dict[str, Any]:
    """The composed configuration of the pipeline's family with the method and its settings."""
    kinds = [cls.__name__ for cls in type(pipeline).__mro__ if cls.__name__ in FAMILIES]
    if not kinds:
        raise BenchError(
            f"pipeline must be one of diffusers' {', '.join(FAMILIES)}, got a "
            f"{type(pipeline).__name__}"
        )
    family = FAMILIES[kinds[0]]
    if kinds[0] == "FluxPipeline" and not pipeline.transformer.config.guidance_embeds:
        family = SCHNELL
    if isinstance(method, Method):
        if given:
            raise BenchError("settings belong to a method given by name, not to a Method")
        method = "vanilla"  # of which the family's settings are taken alone
    with explained():
        one_of("method", method, groups()["method"])
    own = [f"method.{key}={json.dumps(value)}" for key, value in given.items()]
    with _hydra_of_our_own():
        return cell_settings([*family, f"method={method}", *own], [])


@contextmanager
def _hydra_of_our_own() -> Iterator[None]:
    """Compose from this package's conf also inside a program that itself runs under Hydra."""
    kept = Singleton.get_state()
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        Singleton.set_state(kept)


def _reward(method: Method, reward: Any, prompt: str, backbone: LatentDiffusion) -> FunctionReward:
    """The reward, tried at the size of the pipeline's images."""
    if reward is not None:
        side = backbone.latent_shape[-1] * backbone.pipeline.vae_scale_factor
        return as_reward(reward, prompt, side, backbone.device)
    if method.estimators or method.steers:
        raise BenchError(
            f"method {method.name} needs a reward: a function (images, prompt) -> one number for "
            "each image"
        )
    return FunctionReward(lambda images, prompt: torch.zeros(len(images)), "none", False)


@contextmanager
def untouched(pipeline: Any) -> Iterator[None]:
    """Give the pipeline back as it came: training modes, which weights learn, and types.

    SDXL's decoder, which overflows in half precision, runs in float32 meanwhile, as it does in the
    pipeline's own call. Raises BenchError for a pipeline that is spread over devices.
    """
    parts = [p for p in pipeline.components.values() if isinstance(p, torch.nn.Module)]
    devices = {str(part.device) for part in parts}
    if len(devices) > 1 or any(hasattr(part, "_hf_hook") for part in parts):
        raise BenchError(
            f"the pipeline lies on {' and '.join(sorted(devices))} or is offloaded: load it "
            "without offloading and move it to one device, such as pipeline.to('cuda')"
        )
    modes = [(module, module.training) for part in parts for module in part.modules()]
    learning = [(weight, weight.requires_grad) for part in parts for weight in part.parameters()]
    vae = pipeline.vae
    half = vae.dtype == torch.float16 and vae.config.get("force_upcast", False)
    half = half and hasattr(pipeline, "upcast_vae")
    if half:
        vae.to(torch.float32)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
        for weight, learns in learning:
            weight.requires_grad_(learns)
        if half:
            vae.to(torch.float16)
