"""From plain settings to methods: names looked up, keys and ranges checked, errors in words."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from bench.backbones import BACKBONES
from bench.backbones.settings import is_stochastic
from bench.errors import BenchError, explained
from bench.outside import TARGET, made
from bench.settings import check_group, check_keys, settings
from methods import needs
from methods.base import Estimator, Steer
from methods.efr import ESTIMATORS
from methods.method import Method
from methods.settings import one_of, whole
from methods.steer import STEERS

PARTS = {"estimator": Estimator, "steer": Steer}
METHOD_KEYS = ("name", "efr", "steer", "steps_factor", "best_seen")


def _part(registry: Mapping[str, type], kind: str, options: Any, where: str, what: str) -> Any:
    """An estimator or a steer: of the package by its name, or from outside by its ``_target_``."""
    at = f"{where}.{kind}"
    if isinstance(options, Mapping) and TARGET in options:
        part = made(options, at)
        if not isinstance(part, PARTS[what]):
            raise BenchError(
                f"{at}: {options[TARGET]} gave an object of type {type(part).__name__}, which is "
                f"no methods.base.{PARTS[what].__name__}"
            )
        return part
    if kind not in registry:
        one_of(where, kind, list(registry))
    return settings(registry[kind], options, at)


def build_method(given: Mapping[str, Any]) -> Method:
    """The method of a ``method`` config: estimators by ``efr``, steers in order by ``steer``."""
    check_keys("method", given, METHOD_KEYS)
    groups = {key: given.get(key) or {} for key in ("efr", "steer")}
    for key, group in groups.items():
        check_group(f"method.{key}", group)
    with explained():
        estimators = {
            kind: _part(ESTIMATORS, kind, options, "method.efr", "estimator")
            for kind, options in groups["efr"].items()
        }
        steers = {
            kind: _part(STEERS, kind, options, "method.steer", "steer")
            for kind, options in groups["steer"].items()
        }
        if "name" not in given:
            raise BenchError("there is no method.name, and it is needed")
        whole("method.steps_factor", given.get("steps_factor", 1), 1)
        if not re.fullmatch(r"[\w.-]+", str(given["name"])):
            raise BenchError(f"method.name names a folder, got {given['name']!r}")
        own = {key: given[key] for key in ("steps_factor", "best_seen") if key in given}
        return Method(str(given["name"]), estimators, steers, **own)


def offered(backbone: Mapping[str, Any], solver: str, differentiable: bool) -> list[str]:
    """The words of ``methods.needs.SURROUNDINGS`` that hold on a backbone of these settings under
    the target solver of this name, and a reward that has a derivative or none."""
    kind, own = BACKBONES[backbone["kind"]], backbone["solvers"][solver]
    weight = own.get("guidance")
    weight = backbone.get("guidance") if weight is None else weight
    holds = {
        "stochastic" if is_stochastic(own) else "deterministic": True,
        "ancestral": "eta" in own or "sde" in own,
        "derivative": differentiable,
        "analytic": kind.analytic,
        "tokens" if kind.tokens else "continuous": True,
        "guided": kind.unet and weight is not None and weight > 1,
        "flow": kind.flow,
    }
    return [word for word, true in holds.items() if true]


def check_method(method: Method, offered: Collection[str], images: int) -> None:
    """Raise BenchError where a method's parts do not fit each other or their surroundings.

    ``offered``: the words of ``methods.needs.SURROUNDINGS`` that hold, known before a model is
    loaded.
    """
    with explained():
        try:
            needs.check(method, offered, images)
        except ValueError as error:
            raise ValueError(f"method {method.name}: {error}") from None
    particles = images * method.candidates
    for steer in method.steers.values():
        if hasattr(steer, "particles") and (steer.particles or particles) == 1:
            raise BenchError(
                f"method {method.name} resamples a population of one particle, which changes "
                f"nothing: images={images} and its particles must make two or more"
            )
