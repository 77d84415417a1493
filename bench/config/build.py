"""From plain settings to methods: names looked up, keys and ranges checked, errors in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.errors import BenchError, explained
from methods import needs
from methods.base import Estimator, Steer
from methods.efr import ESTIMATORS
from methods.method import Method
from methods.settings import one_of
from methods.steer import STEERS

T = TypeVar("T")
METHOD_KEYS = ("name", "efr", "steer", "steps_factor")


def check_keys(where: str, given: Mapping[str, Any], allowed: list[str]) -> None:
    """Raise BenchError for the first unknown key, with the nearest known one."""
    for key in given:
        if key not in allowed:
            near = get_close_matches(str(key), allowed, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise BenchError(f"{where}.{key} is unknown: {where} has {', '.join(allowed)}{hint}")


def settings(cls: type[T], given: Mapping[str, Any] | None, where: str) -> T:
    """An instance of the dataclass ``cls``; BenchError names the key, its type or its range."""
    given = given or {}
    check_keys(where, given, [f.name for f in fields(cls)])  # type: ignore[arg-type]
    try:
        merged = OmegaConf.merge(OmegaConf.structured(cls), dict(given))
        made = OmegaConf.to_object(merged)
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", "") or ""
        reason = str(error).splitlines()[0]
        raise BenchError(f"{where}.{key}: {reason}") from None
    except ValueError as error:
        raise BenchError(f"{where}.{error}") from None
    assert isinstance(made, cls)
    return made


def build_method(given: Mapping[str, Any]) -> Method:
    """The method of a ``method`` config: estimators by ``efr``, steers in order by ``steer``."""
    check_keys("method", given, list(METHOD_KEYS))
    estimators: dict[str, Estimator] = {}
    steers: dict[str, Steer] = {}
    with explained():
        for kind, options in (given.get("efr") or {}).items():
            one_of("method.efr", kind, list(ESTIMATORS))
            estimators[kind] = settings(ESTIMATORS[kind], options, f"method.efr.{kind}")
        for kind, options in (given.get("steer") or {}).items():
            one_of("method.steer", kind, list(STEERS))
            steers[kind] = settings(STEERS[kind], options, f"method.steer.{kind}")
        return Method(given["name"], estimators, steers, given.get("steps_factor", 1))


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
