"""A cell's config.yaml: written once, read back, compared key by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from bench.errors import BenchError
from bench.store.disk import replace_text, writing

# What cells of one GenEval report have in common; an index is then the same prompt in all.
SHARED = (
    *("backbone.name", "judge.name", "reward"),
    *("prompts.source", "prompts.n", "prompts.seed", "prompts.sha256"),
)
ABSENT = "–"
NOTED = ("torch", "threads", "yardstick_every")  # these decide no result, or its rounding alone


def read_config(path: Path) -> dict[str, Any]:
    """Plain settings of a config.yaml. Raises BenchError where it is missing or no YAML mapping."""
    try:
        config: Any = OmegaConf.to_container(OmegaConf.load(path))
    except FileNotFoundError:
        raise BenchError(f"{path} is missing") from None
    except (OSError, ValueError, YAMLError, OmegaConfBaseException) as error:
        raise BenchError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(config, dict):
        raise BenchError(f"{path} holds no settings")
    return config


def leaves(node: Any, path: str = "") -> dict[str, Any]:
    """Dotted key -> value of nested mappings; a list is a value."""
    if not isinstance(node, Mapping):
        return {path: node}
    below = [leaves(value, f"{path}.{key}" if path else str(key)) for key, value in node.items()]
    return {key: value for part in below for key, value in part.items()}


def differences(one: Any, other: Any) -> dict[str, tuple[Any, Any]]:
    """Dotted key -> the two values, where they differ or one has none (``ABSENT``)."""
    a, b = leaves(one), leaves(other)
    pairs = {key: (a.get(key, ABSENT), b.get(key, ABSENT)) for key in dict.fromkeys([*a, *b])}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def describe(path: Path, config: Mapping[str, Any]) -> list[str]:
    """Write a cell's config.yaml, once; a later run is held against it.

    What a later run may change is the number of prompts: where it takes more, the file says so.

    Returns what is not as it was and decides no result. Raises BenchError where the file no longer
    tells what the records were made with.
    """
    if not path.exists():
        with writing(path):
            replace_text(path, OmegaConf.to_yaml(OmegaConf.create(dict(config))))
        return []
    remedy = "put it back, or delete it: the same command writes it anew"
    try:
        there = read_config(path)
        before, now = _deciding(there), _deciding(config)
        more = config["prompts"]["total"] > there["prompts"]["total"]
    except BenchError as error:
        raise BenchError(f"{error}; {remedy}") from None
    except KeyError as error:
        raise BenchError(f"{path} lacks the key {error}; {remedy}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise BenchError(f"{path} is no cell's configuration ({error!r}); {remedy}") from None
    if changed := differences(before, now):
        listed = ", ".join(f"{key} is {a}, ran with {b}" for key, (a, b) in changed.items())
        raise BenchError(f"{path} was changed since it was written: {listed}; {remedy}")
    if more:
        grown = there | {"prompts": config["prompts"]}
        with writing(path):
            replace_text(path, OmegaConf.to_yaml(OmegaConf.create(grown)))
    noted = {key: (there.get(key), config[key]) for key in NOTED}
    return [f"{key} is {b}, was {a} ({path})" for key, (a, b) in noted.items() if a != b]


def _deciding(config: Mapping[str, Any]) -> dict[str, Any]:
    from bench.config.cell import deciding  # here: it needs the methods, and a comparison does not

    return deciding(config, config["weights"], config["code"]) | {"cell": config["cell"]}
