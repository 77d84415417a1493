"""A backbone's and its solvers' settings, checked without loading a library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from methods.settings import at_least, one_of, whole

# Keys of a solver's settings that are not the scheduler's own configuration.
OWN = ("scheduler", "eta", "stochastic", "timesteps", "denoiser", "guidance")


def is_stochastic(settings: Mapping[str, Any]) -> bool:
    """Whether a solver of these settings takes noise."""
    return bool(settings.get("eta", 0.0) > 0 or settings.get("stochastic", False))


def check_steps(where: str, steps: int, settings: Mapping[str, Any]) -> None:
    """Raise ValueError unless a solver of these settings can take so many steps."""
    times = settings.get("timesteps")
    if times and steps != len(times):
        raise ValueError(f"{where} must be {len(times)}: this solver has its own timesteps {times}")


def check_solver(where: str, settings: Mapping[str, Any]) -> None:
    """Raise ValueError where a setting of a solver is out of range. Loads no library."""
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


def check_pipeline(settings: Mapping[str, Any]) -> None:
    """Raise ValueError for the first setting of a diffusers pipeline that is out of range."""
    from bench.device import DTYPES

    if settings["guidance"] is not None:
        at_least("backbone.guidance", settings["guidance"], 0)
    for key in ("max_batch", "max_decode"):
        whole(f"backbone.{key}", settings[key], 1)
    for key in ("pixels", "tokens"):
        if settings.get(key) is not None:
            whole(f"backbone.{key}", settings[key], 1)
    for key in ("dtype", "vae_dtype"):
        one_of(f"backbone.{key}", settings[key], DTYPES)
    allowed = ("sdpa",) if settings["kind"] == "flux" else ("sdpa", "eager")
    one_of("backbone.attention", settings["attention"], allowed)
    for name, options in settings["solvers"].items():
        check_solver(f"backbone.solvers.{name}", options)
        if student := options.get("denoiser"):
            key = f"backbone.solvers.{name}.denoiser"
            one_of(key, student, list(settings["students"]))
