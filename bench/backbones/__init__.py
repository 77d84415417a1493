"""Backbones: the generative models under comparison, by the ``kind`` of their settings.

Most are pipelines of diffusers. ``loading`` turns settings into a pipeline, ``latent`` (with
``sdxl`` and ``flux``) makes it a Backbone of ``methods.interfaces``, ``solver`` makes any scheduler
a Solver. This room may know weights and devices; rewards, cells and reports are unknown to it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.backbones.settings import MixtureSettings, MoleculeSettings, check_pipeline
from bench.errors import explained
from bench.outside import OUTSIDE
from bench.settings import settings as build_settings
from methods.interfaces import Backbone
from methods.settings import one_of

if TYPE_CHECKING:
    import torch

    from bench.backbones.latent import LatentDiffusion

Settings = Mapping[str, Any]
Solvers = Collection[str]
Loaded = tuple[Backbone, str]

# What of the settings decides the pipeline that is loaded.
SPEED_KEYS = ("attention", "compile", "channels_last")
PIPELINE_KEYS = ("name", "kind", "weights", "dtype", "vae_dtype", *SPEED_KEYS)
HUB_KEYS = ("architecture", "source", "parts", "accelerated")


@dataclass(frozen=True)
class Kind:
    """How a kind of backbone checks its settings, and how it is loaded with its weights' digest.

    ``guided``: it knows a guidance weight. ``unet``: it is a UNet under classifier-free guidance.
    ``flow``: its path is flow matching's. ``analytic``: its prior is in closed form. ``world``:
    what it makes, as in ``bench.config.model.WORLDS``. ``tokens``: as strings of tokens.
    """

    check: Callable[[Settings], None]
    load: Callable[[Settings, torch.device, Solvers], Loaded]
    guided: bool = True
    analytic: bool = False
    world: str = "pictures"
    tokens: bool = False
    unet: bool = False
    flow: bool = False


def _pipeline(settings: Settings, device: torch.device, solvers: Solvers) -> Loaded:
    from bench.backbones.architectures import ARCHITECTURES
    from bench.backbones.loading import RANDOM, load_pipeline
    from bench.backbones.students import load_students

    keys = [*PIPELINE_KEYS, *(k for k in HUB_KEYS if k in settings)]
    text = json.dumps({key: settings[key] for key in keys}, sort_keys=True)
    if not load_pipeline.keeps(text, device):
        load_students.let_go()  # they hold on to the pipeline that they belong to
    pipeline, mark = load_pipeline(text, device)
    wanted = dict.fromkeys(settings["solvers"][name].get("denoiser") for name in solvers)
    chosen = json.dumps({n: settings["students"][n] for n in wanted if n is not None})
    students, marks = load_students(text, device, chosen, settings["weights"] in RANDOM)
    if settings["weights"] == "tiny":
        settings = {**settings, "pixels": ARCHITECTURES[settings["architecture"]](True).pixels}
    return on_pipeline(pipeline, settings, students), "+".join([mark, *marks])


def on_pipeline(
    pipeline: Any, settings: Settings, students: Mapping[str, Any] | None = None
) -> LatentDiffusion:
    """A pipeline that is loaded already, as the backbone of these settings."""
    from bench.backbones.flux import Flux
    from bench.backbones.latent import LatentDiffusion, Limits
    from bench.backbones.sdxl import SDXL

    options: dict[str, Any] = {
        "solvers": settings["solvers"],
        "guidance": settings["guidance"],
        "limits": Limits(settings["max_batch"], settings["max_decode"]),
        "students": students or {},
        "pixels": settings.get("pixels"),
    }
    if settings["kind"] == "flux":
        return Flux(pipeline, **options, tokens=settings["tokens"])
    return (SDXL if settings["kind"] == "sdxl" else LatentDiffusion)(pipeline, **options)


def _check_mixture(settings: Settings) -> None:
    from bench.mixture.backbone import check

    build_settings(MixtureSettings, settings, "backbone")
    check(settings)


def _mixture(settings: Settings, device: torch.device, solvers: Solvers) -> Loaded:
    from bench.mixture.backbone import load

    return load(settings)


def _check_molecules(settings: Settings) -> None:
    from bench.molecules.known import check

    build_settings(MoleculeSettings, settings, "backbone")
    check(settings["table"], settings["outside"])


def _molecules(settings: Settings, device: torch.device, solvers: Solvers) -> Loaded:
    from bench.molecules.priors import load

    return load(settings, device)


def _check_strings(settings: Settings) -> None:
    from bench.tokens.strings import check

    check(settings)


def _strings(settings: Settings, device: torch.device, solvers: Solvers) -> Loaded:
    from bench.tokens.strings import load

    return load(settings)


def _check_outside(settings: Settings) -> None:
    from bench.backbones.outside import check

    check(settings)


def _outside(settings: Settings, device: torch.device, solvers: Solvers) -> Loaded:
    from bench.backbones.outside import make

    return make(settings, device, solvers)


BACKBONES = {
    "miniature": Kind(check_pipeline, _pipeline, unet=True),
    "miniature_flow": Kind(check_pipeline, _pipeline, unet=True, flow=True),
    "sd": Kind(check_pipeline, _pipeline, unet=True),
    "sdxl": Kind(check_pipeline, _pipeline, unet=True),
    "flux": Kind(check_pipeline, _pipeline, flow=True),
    "mixture": Kind(_check_mixture, _mixture, guided=False, analytic=True, world="points"),
    "molecules": Kind(
        _check_molecules, _molecules, guided=False, analytic=True, world="molecules", tokens=True
    ),
    "udlm": Kind(_check_molecules, _molecules, guided=False, world="molecules", tokens=True),
    "strings": Kind(_check_strings, _strings, False, True, world="strings", tokens=True),
    OUTSIDE: Kind(_check_outside, _outside),
}


def load_backbone(settings: Settings, device: str = "auto", solvers: Solvers = ()) -> Loaded:
    """The backbone of ``settings["kind"]`` and the digest of its weights.

    ``solvers``: those that will be used, whose distilled denoisers are loaded too. Pipelines are
    loaded once per process. Raises BenchError for weights that are missing, damaged or of another
    model, and where device, type or memory do not suffice.
    """
    from bench.device import resolve_device

    with explained():
        one_of("backbone.kind", settings["kind"], list(BACKBONES))
        kind = BACKBONES[settings["kind"]]
        return kind.load(settings, resolve_device(device), solvers)
