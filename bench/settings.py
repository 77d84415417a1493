"""Plain settings against the dataclass that declares them: unknown keys, types, ranges.

Every room declares its settings as a dataclass whose ``__post_init__`` raises ValueError for what
is out of range. The errors are BenchErrors that name the key and what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.errors import BenchError
from methods.settings import whole

T = TypeVar("T")
WORDS = {int: "an integer", float: "a number", bool: "true or false", str: "text", NoneType: "null"}
LISTS, GROUPS = (list, tuple, Sequence), (dict, Mapping)
FREE = (Any, dict[str, Any], Mapping[str, Any])  # types of a group about which nothing is declared


def nearest(name: Any, known: Sequence[str]) -> str:
    """ "; did you mean 'steps'?" where a known name is near to ``name``, else ""."""
    near = get_close_matches(str(name), known, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_keys(where: str, given: Mapping[str, Any], allowed: Sequence[str]) -> None:
    """Raise BenchError for the first unknown key, with the nearest known one."""
    for key in given:
        if key not in allowed:
            what = f"{where} has" if where else "the settings are"
            hint = nearest(key, allowed)
            raise BenchError(f"{_at(where, key)} is unknown: {what} {', '.join(allowed)}{hint}")


def check_group(where: str, given: Any) -> None:
    """Raise BenchError unless ``given`` maps names to settings."""
    if not isinstance(given, Mapping):
        raise BenchError(f"{where} must be a group of settings, got {given!r}")


def between(key: str, value: Any, low: int, high: int) -> None:
    """Raise ValueError unless value is an integer from ``low`` to ``high``."""
    whole(key, value, low)
    if value > high:
        raise ValueError(f"{key} must be an integer from {low} to {high}, got {value}")


def settings(cls: type[T], given: Mapping[str, Any] | None, where: str) -> T:
    """An instance of the dataclass ``cls``; BenchError names the key, its type or its range."""
    given = {} if given is None else given
    if where:
        check_group(where, given)
    declared = fields(cls)  # type: ignore[arg-type]
    check_keys(where, given, [f.name for f in declared])
    for f in declared:
        if f.name not in given and f.default is MISSING and f.default_factory is MISSING:
            raise BenchError(f"there is no {_at(where, f.name)}, and it is needed")
    kinds = get_type_hints(cls)
    for key, value in given.items():  # OmegaConf takes a number for true or false
        if kinds[key] is bool and not isinstance(value, bool):
            raise BenchError(f"{_at(where, key)} must be true or false, got {value!r}")
    # Groups are declared where they are at home, and OmegaConf takes long over whatever is nested.
    groups = {k: v for k, v in given.items() if kinds[k] in FREE and isinstance(v, dict)}
    others = {k: v for k, v in given.items() if k not in groups}
    try:
        typed: Any = OmegaConf.to_container(
            OmegaConf.merge(OmegaConf.structured(cls), others), resolve=True
        )
        made = cls(**groups, **{key: typed[key] for key in others})
    except OmegaConfBaseException as error:
        key = re.split(r"[.\[]", getattr(error, "full_key", None) or "")[0]
        if key not in given:
            raise BenchError(f"{_at(where, key)}: {str(error).splitlines()[0]}") from None
        said = f"{_at(where, key)} must be {in_words(kinds[key])}, got {given[key]!r}"
        raise BenchError(said) from None
    except ValueError as error:
        raise BenchError(_at(where, str(error))) from None
    return made


def in_words(kind: Any) -> str:
    """A field's type as a user would say it."""
    origin = get_origin(kind) or kind
    if origin in LISTS:
        return "a list"
    if origin in GROUPS:
        return "a group of settings"
    options = get_args(kind)
    return " or ".join(map(in_words, options)) if options else WORDS.get(kind, str(kind))


def _at(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
