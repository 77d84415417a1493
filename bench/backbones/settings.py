"""A backbone's and its solvers' settings, checked without loading a library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.device import DTYPES
from bench.settings import check_group
from bench.settings import settings as build_settings
from methods.settings import above, at_least, one_of, whole

# Keys of a solver's settings that are not the scheduler's own configuration.
OWN = ("scheduler", "eta", "stochastic", "timesteps", "denoiser", "guidance", "sde")
WEIGHTS = ("pretrained", "random", "tiny")
TRAINING_STEPS = 1000  # of every model here, where a solver does not say otherwise
# Kinds of backbones that can take any number of steps.
CONTINUOUS = ("flux", "miniature_flow", "mixture", "molecules", "outside", "strings", "udlm")
FLOW = ("flux", "miniature_flow")
DISTILLED_STEPS = 50  # of LCMScheduler, likewise


def is_stochastic(settings: Mapping[str, Any]) -> bool:
    """Whether a solver of these settings takes noise."""
    noisy = settings.get("eta", 0.0) > 0 or settings.get("sde", 0.0) > 0
    return bool(noisy or settings.get("stochastic", False))


def check_steps(where: str, steps: int, solver: str, backbone: Mapping[str, Any]) -> None:
    """Raise ValueError unless a solver of this name can take so many steps."""
    settings = backbone["solvers"][solver]
    times = settings.get("timesteps")
    if times and steps != len(times):
        raise ValueError(
            f"{where} with solver={solver} must be {len(times)}: this solver has its own timesteps "
            f"{times}"
        )
    if not times and settings.get("scheduler") == "LCMScheduler":
        most = settings.get("original_inference_steps", DISTILLED_STEPS)
        if steps > most:
            raise ValueError(
                f"{where} with solver={solver} must be at most {most}, the steps that its denoiser "
                f"was distilled for, got {steps}"
            )
    most = settings.get("num_train_timesteps", TRAINING_STEPS)
    if backbone["kind"] not in CONTINUOUS and steps > most:
        raise ValueError(
            f"{where} with solver={solver} must be at most {most}, the steps that "
            f"{backbone['name']} was trained on, got {steps}"
        )


def check_solver(where: str, settings: Mapping[str, Any]) -> None:
    """Raise ValueError where a setting of a solver is out of range. Loads no library."""
    check_group(where, settings)
    if "sde" in settings:
        if set(settings) != {"sde"}:
            raise ValueError(f"{where}: sde stands alone, got {', '.join(settings)}")
        above(f"{where}.sde", settings["sde"], 0)
        return
    if not settings.get("scheduler"):
        raise ValueError(f"{where}.scheduler must name a scheduler of diffusers")
    at_least(f"{where}.eta", settings.get("eta", 0.0), 0)
    if settings.get("guidance") is not None:
        at_least(f"{where}.guidance", settings["guidance"], 0)
    times = settings.get("timesteps") or []
    for t in times:
        whole(f"{where}.timesteps: each", t, 0)
    if sorted(times, reverse=True) != list(times):
        raise ValueError(f"{where}.timesteps must fall, got {list(times)}")


@dataclass(frozen=True)
class PipelineSettings:
    """A diffusers pipeline: conf/backbone/sd15.yaml says what each setting is.

    ``architecture`` to ``accelerated`` are of pipelines on the hub; the built-in models have none.
    """

    name: str
    kind: str
    weights: str | None  # None: the packaged ones
    students: dict[str, Any]
    dtype: str
    vae_dtype: str
    attention: str
    compile: bool
    channels_last: bool
    guidance: float | None
    max_batch: int
    max_decode: int
    solvers: dict[str, Any]
    architecture: str | None = None
    source: Any = None
    parts: dict[str, Any] = field(default_factory=dict)
    accelerated: str = "float32"
    pixels: int | None = None
    tokens: int | None = None

    def __post_init__(self) -> None:
        self._check_weights()
        if self.guidance is not None:
            at_least("guidance", self.guidance, 0)
        for key in ("max_batch", "max_decode", "pixels", "tokens"):
            if (value := getattr(self, key)) is not None:
                whole(key, value, 1)
        for key in ("dtype", "vae_dtype"):
            one_of(key, getattr(self, key), DTYPES)
        one_of("attention", self.attention, ("sdpa",) if self.kind == "flux" else ("sdpa", "eager"))
        for name, options in self.solvers.items():
            check_solver(f"solvers.{name}", options)
            if "sde" in options and self.kind not in FLOW:
                raise ValueError(f"solvers.{name}: sde is for flow models, not for {self.kind}")
            if student := options.get("denoiser"):
                one_of(f"solvers.{name}.denoiser", student, list(self.students))

    def _check_weights(self) -> None:
        """Raise ValueError unless there are such weights, or such a folder."""
        named = WEIGHTS if self.architecture else ()
        if self.weights in named or (self.weights is None and not named):
            return
        if self.weights is None or not Path(self.weights).expanduser().is_dir():
            choice = ", ".join(named) or "null"
            raise ValueError(
                f"weights must be {choice}, or the folder of a pipeline: there is no folder "
                f"{self.weights!r}"
            )


@dataclass(frozen=True)
class MixtureSettings:
    """The Gaussian mixture: ``bench.mixture.backbone`` says what is in range."""

    name: str
    kind: str
    dimension: int
    components: int
    path: str
    solvers: dict[str, Any]


@dataclass(frozen=True)
class MoleculeSettings:
    """Molecules: ``table`` a file of them, ``outside`` what a string is that it lacks; of a trained
    denoiser also ``weights``, a folder, and ``max_batch``. None: the packaged ones."""

    name: str
    kind: str
    table: str | None
    outside: str
    solvers: dict[str, Any]
    weights: str | None = None
    max_batch: int = 1024

    def __post_init__(self) -> None:
        whole("max_batch", self.max_batch, 1)
        for name, options in self.solvers.items():
            one_of("a solver of molecules", name, ["ancestral"])
            if options != {"stochastic": True}:
                raise ValueError(f"solvers.{name} must be {{stochastic: true}}, got {options}")


def check_pipeline(settings: Mapping[str, Any]) -> None:
    """Raise BenchError for the first setting of a diffusers pipeline that is wrong."""
    build_settings(PipelineSettings, settings, "backbone")
