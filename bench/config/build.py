"""From plain settings to methods: names looked up, keys and ranges checked, errors in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import BenchError, explained
from bench.outside import TARGET, made
from bench.settings import check_group, check_keys, settings
from methods.efr import ESTIMATORS
from methods.method import Method
from methods.settings import one_of, whole
from methods.steer import STEERS
from methods.steering import Setup

NEEDED = {"estimator": "prepare", "steer": "candidates"}  # by which one is known
METHOD_KEYS = ("name", "efr", "steer", "steps_factor")


def _part(registry: Mapping[str, type], kind: str, options: Any, where: str, what: str) -> Any:
    """An estimator or a steer: of the package by its name, or from outside by its ``_target_``."""
    at = f"{where}.{kind}"
    if isinstance(options, Mapping) and TARGET in options:
        part = made(options, at)
        if not hasattr(part, NEEDED[what]):
            raise BenchError(
                f"{at}: {options[TARGET]} gave an object of type {type(part).__name__}, which is "
                f"no {what}"
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
        steers = tuple(
            _part(STEERS, kind, options, "method.steer", "steer")
            for kind, options in groups["steer"].items()
        )
        if "name" not in given:
            raise BenchError("there is no method.name, and it is needed")
        whole("method.steps_factor", given.get("steps_factor", 1), 1)
        if not re.fullmatch(r"[\w.-]+", str(given["name"])):
            raise BenchError(f"method.name names a folder, got {given['name']!r}")
        return Method(str(given["name"]), estimators, steers, given.get("steps_factor", 1))


@dataclass(frozen=True)
class Surroundings:
    """What a method is to run among: what of it is decided before any model is loaded."""

    images: int
    stochastic: bool  # the target solver
    reward: str
    differentiable: bool  # the reward
    analytic: bool  # prior and reward in closed form


def check_method(method: Method, among: Surroundings) -> None:
    """Raise BenchError where a method's parts do not fit each other or their surroundings."""
    particles = among.images * method.candidates
    setup = Setup(method.estimators, among.images, particles, method.steers, among.stochastic)
    for name, estimator in method.estimators.items():
        if estimator.analytic and not among.analytic:
            raise BenchError(
                f"method.efr.{name} needs a prior and a reward in closed form: backbone=mixture "
                f"with reward=quadratic or linear, got reward={among.reward}"
            )
    for steer in method.steers:
        with explained():
            steer.check(setup)
        if hasattr(steer, "particles") and (steer.particles or particles) == 1:
            raise BenchError(
                f"method {method.name} resamples a population of one particle, which changes "
                f"nothing: images={among.images} and its particles must make two or more"
            )
        if steer.needs_gradient(method.estimators) and not among.differentiable:
            raise BenchError(
                f"method {method.name} differentiates the reward, and {among.reward} has no "
                "derivative: choose another reward, or a method that needs none (lidar, rollout, "
                "smc, best_of_n)"
            )
