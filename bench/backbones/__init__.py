"""Backbones by name: the generative priors under comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from methods.interfaces import Backbone
from methods.settings import one_of


def _miniature(settings: Mapping[str, Any]) -> tuple[Backbone, str]:
    from bench.miniature.pipeline import load

    return load(settings)


BACKBONES: dict[str, Callable[[Mapping[str, Any]], tuple[Backbone, str]]] = {
    "miniature": _miniature,
}


def load_backbone(settings: Mapping[str, Any]) -> tuple[Backbone, str]:
    """The backbone of ``settings["kind"]`` and the digest of its weights."""
    one_of("backbone.kind", settings["kind"], list(BACKBONES))
    return BACKBONES[settings["kind"]](settings)
