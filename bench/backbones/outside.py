"""A backbone from outside the package: what a function gives that ``_target_`` names.

Its settings go to the function as keyword arguments; ``solvers`` and ``device`` do where it has
parameters of these names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from bench.errors import BenchError
from bench.outside import TARGET, accepts, arguments, called, check_call, digest, load
from bench.settings import check_group
from methods.interfaces import Backbone

if TYPE_CHECKING:
    import torch

HARNESS = ("solvers", "guidance", "device")  # passed on where the function asks for them
NEEDED = ("latent_shape", "device", *(name for name in vars(Backbone) if not name.startswith("_")))


def check(settings: Mapping[str, Any]) -> None:
    """Raise BenchError where the function is not there or does not take its arguments."""
    where = f"backbone.{TARGET}"
    if not settings.get("solvers"):
        raise BenchError("backbone.solvers must name one solver or more, such as {ddpm: {eta: 1}}")
    check_group("backbone.solvers", settings["solvers"])
    for name, options in settings["solvers"].items():
        check_group(f"backbone.solvers.{name}", options)
    target = load(settings.get(TARGET), where)
    check_call(target, _given(target, settings, None), "backbone")


def make(
    settings: Mapping[str, Any], device: torch.device, solvers: Collection[str]
) -> tuple[Backbone, str]:
    """The backbone, and the digest of its weights where it has a method that tells it."""
    target = load(settings[TARGET], f"backbone.{TARGET}")
    backbone: Any = called(target, _given(target, settings, device), "backbone")
    if lacking := [name for name in NEEDED if not hasattr(backbone, name)]:
        raise BenchError(
            f"backbone.{TARGET}: {settings[TARGET]} gave an object of type "
            f"{type(backbone).__name__} that lacks {', '.join(lacking)} of "
            "methods.interfaces.Backbone"
        )
    own = getattr(backbone, "digest", None)
    return backbone, str(own()) if callable(own) else digest(settings[TARGET])


def _given(target: Any, settings: Mapping[str, Any], device: Any) -> dict[str, Any]:
    own = {k: v for k, v in arguments(settings).items() if k not in HARNESS}
    harness = {**settings, "device": device}
    return own | {k: harness[k] for k in HARNESS if k in harness and accepts(target, k)}
