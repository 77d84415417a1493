"""Composing configurations, and a look at the command line before Hydra sees it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.errors import BenchError

CONF = Path(__file__).parent.parent / "conf"
# Of a job, not of its cells.
NOT_RESULTS = (
    *("hydra", "cells", "results", "experiment_name"),
    *("scale", "paper", "not_built", "objective"),
)


# How jobs are spread and chosen: optional packages of Hydra.
PLUGINS = {
    "launch": {
        "joblib": "hydra_joblib_launcher",
        "ray": "hydra_ray_launcher",
        "submitit": "hydra_submitit_launcher",
        "submitit_local": "hydra_submitit_launcher",
    },
    "sweep": {"optuna": "hydra_optuna_sweeper"},
}


def cell_settings(overrides: Sequence[str], extra: Sequence[str]) -> dict[str, Any]:
    """A cell's plain settings: the command line's overrides, the cell's own before them.

    What the user says on the command line wins over what the experiment says of its cell.
    """
    experiment = [o for o in overrides if o.lstrip("+").startswith("experiment=")]
    rest = [o for o in overrides if o not in experiment and not _of_job(o)]
    config = composed([*experiment, *extra, *rest])
    plain: Any = OmegaConf.to_container(config, resolve=True)
    return {k: v for k, v in plain.items() if k not in NOT_RESULTS}


def _of_job(override: str) -> bool:
    """Whether an override says where jobs run, not what a cell is."""
    return override.split("=")[0] in PLUGINS


def expand(line: str) -> list[list[str]]:
    """A cell's line of overrides -> one list a cell: "n=9,25 s=1" makes two, as Hydra's -m does."""
    given = line.split()
    choices = []
    for text, override in zip(given, OverridesParser.create().parse_overrides(given), strict=True):
        if override.is_sweep_override():
            values = override.sweep_string_iterator()
            choices.append([f"{override.get_key_element()}={value}" for value in values])
        else:
            choices.append([text])
    return [list(cell) for cell in product(*choices)]


def composed(overrides: Sequence[str]) -> Any:
    """Hydra's configuration of these overrides. Raises BenchError, in words."""
    try:
        if GlobalHydra.instance().is_initialized():
            return compose("config", overrides=list(overrides))
        with initialize_config_module("conf", version_base="1.3"):
            return compose("config", overrides=list(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise BenchError(_explain(str(error), overrides)) from None


def groups() -> dict[str, list[str]]:
    """Configuration groups and their options, from the files; a folder's file is an option of the
    groups above it too: experiment has paper/table2."""
    found: dict[str, list[str]] = {}
    for file in sorted(CONF.rglob("*.yaml")):
        parts = file.relative_to(CONF).with_suffix("").parts
        for depth in range(1, len(parts)):
            found.setdefault("/".join(parts[:depth]), []).append("/".join(parts[depth:]))
    return found


def _keys(node: Any, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return []
    names = []
    for key, value in node.items():
        names += [f"{prefix}{key}", *_keys(value, f"{prefix}{key}.")]
    return names


def _explain(message: str, overrides: Sequence[str]) -> str:
    """Hydra's complaint, with the nearest key where a key is unknown."""
    match = re.search(r"Could not override '([^']+)'", message)
    if match:
        wrong = match.group(1)
        groups_only = [o for o in overrides if o.split("=")[0] in groups()]
        known = _keys(OmegaConf.to_container(composed(groups_only)))
        near = get_close_matches(wrong, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"there is no setting {wrong!r}{hint}"
    return " ".join(message.split())


def check_command_line(arguments: Sequence[str]) -> None:
    """Raise BenchError for an unknown group option, or for a setting that does not compose.

    A sweep (-m) is checked for its names alone: each of its jobs is validated as it starts.
    """
    known = groups()
    overrides = [a for a in arguments if not a.startswith("-")]
    for override in overrides:
        key, _, value = override.lstrip("+").partition("=")
        group = key.split("@")[0]
        if group in known:
            for name in value.strip("[]").split(","):
                if name not in known[group]:
                    near = get_close_matches(name, known[group], n=1, cutoff=0.4)
                    hint = f"; did you mean {near[0]!r}?" if near else ""
                    options = ", ".join(known[group])
                    raise BenchError(f"there is no {group} {name!r}: choose from {options}{hint}")
        if key in PLUGINS:
            _check_plugin(key, value, arguments)
    if overrides == list(arguments):
        composed(overrides)


def _check_plugin(group: str, name: str, arguments: Sequence[str]) -> None:
    """Raise BenchError where a launcher or sweeper is not installed, or there is no sweep."""
    if find_spec("hydra_plugins") is None or not find_spec(f"hydra_plugins.{PLUGINS[group][name]}"):
        raise BenchError(
            f"{group}={name} needs the package {PLUGINS[group][name].replace('_', '-')}: "
            "pip install -c constraints.txt 'guidance-bench[scale-out]'"
        )
    if not {"-m", "--multirun"} & set(arguments):
        raise BenchError(f"{group}={name} is for a sweep's jobs: add -m and what to sweep")
