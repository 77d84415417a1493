"""A cell's config.yaml: written once and sealed, read back, compared key by key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from bench.errors import BenchError
from bench.store.disk import replace_text, writing
from bench.store.records import digest

# What cells of one GenEval report have in common; an index is then the same prompt in all.
SHARED = (
    *("backbone.name", "judge.name", "reward"),
    *("prompts.source", "prompts.n", "prompts.seed", "prompts.sha256"),
)
ABSENT = "–"
# These decide no result, or its rounding alone.
NOTED = ("torch", "threads", "precision", "yardstick_every")
OF_A_RUN = (*NOTED, "experiment", "load_seconds", "device", "judged_by", "seal")
SEAL = "\nseal: "
REMEDY = "put it back, or delete it: the same command writes it anew"


def read_config(path: Path, checked: bool = True) -> dict[str, Any]:
    """Plain settings of a config.yaml, its seal among them where it has one.

    Raises BenchError where it is missing, no YAML mapping, or, if ``checked``, was changed since it
    was written.
    """
    try:
        text = path.read_text(encoding="utf-8")
        config: Any = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise BenchError(f"{path} is missing") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BenchError(
            f"{path} cannot be read: {' '.join(str(error).split())}; {REMEDY}"
        ) from None
    if not isinstance(config, dict):
        raise BenchError(f"{path} holds no settings")
    if checked and "seal" in config and text != _sealed(text.rpartition(SEAL)[0]):
        raise BenchError(f"{path} was changed since it was written; {REMEDY}")
    return config


def _sealed(text: str) -> str:
    return f"{text}{SEAL}{digest(text.encode())}\n"


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


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    with writing(path):
        replace_text(path, _sealed(OmegaConf.to_yaml(OmegaConf.create(dict(config))).rstrip("\n")))


def describe(path: Path, config: Mapping[str, Any]) -> list[str]:
    """Write a cell's config.yaml, once; a later run is held against it.

    What a later run may change is the number of prompts: where it takes more, the file says so.

    Returns what is not as it was and decides no result. Raises BenchError where the file is not
    what was written for this cell: its seal is broken or gone, or it is another cell's.
    """
    if not path.exists():
        write_config(path, config)
        return []
    there = read_config(path, checked=False)
    if "seal" not in there:
        raise BenchError(
            f"{path} carries no seal: an earlier version wrote it, and nothing tells whether it "
            "was changed since; delete it, and the same command writes it anew"
        )
    try:
        whole = read_config(path).get("cell") == config["cell"]
    except BenchError:
        whole = False
    if not whole:
        told = [{k: v for k, v in made.items() if k not in OF_A_RUN} for made in (there, config)]
        listed = ", ".join(f"{k} is {a}, ran with {b}" for k, (a, b) in differences(*told).items())
        raise BenchError(
            f"{path} was changed since it was written: {listed or 'its seal is broken'}; {REMEDY}"
        )
    if config["prompts"]["total"] > there["prompts"]["total"]:
        grown = {key: value for key, value in there.items() if key != "seal"}
        write_config(path, grown | {"prompts": config["prompts"]})
    noted = {key: (there.get(key), config.get(key)) for key in NOTED}
    return [f"{key} is {b}, was {a} ({path})" for key, (a, b) in noted.items() if a != b]
