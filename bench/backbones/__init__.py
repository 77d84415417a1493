"""Backbones by name: the generative priors under comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from methods.interfaces import Backbone
from methods.settings import at_least, one_of, whole

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """How a kind of backbone checks its settings, and how it is loaded with its weights' digest.

    ``guided``: it knows classifier-free guidance. ``analytic``: its prior is in closed form.
    """

    check: Callable[[Settings], None]
    load: Callable[[Settings], tuple[Backbone, str]]
    guided: bool = True
    analytic: bool = False


def _check_latent(settings: Settings) -> None:
    at_least("backbone.guidance", settings["guidance"], 0)
    whole("backbone.max_batch", settings["max_batch"], 1)


def _miniature(settings: Settings) -> tuple[Backbone, str]:
    from bench.miniature.pipeline import load

    return load(settings)


def _check_mixture(settings: Settings) -> None:
    from bench.backbones.mixture import check

    check(settings)


def _mixture(settings: Settings) -> tuple[Backbone, str]:
    from bench.backbones.mixture import load

    return load(settings)


BACKBONES = {
    "miniature": Kind(_check_latent, _miniature),
    "mixture": Kind(_check_mixture, _mixture, guided=False, analytic=True),
}


def load_backbone(settings: Settings) -> tuple[Backbone, str]:
    """The backbone of ``settings["kind"]`` and the digest of its weights."""
    one_of("backbone.kind", settings["kind"], list(BACKBONES))
    return BACKBONES[settings["kind"]].load(settings)
