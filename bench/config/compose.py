"""Composing configurations, and a look at the command line before Hydra sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from bench.errors import BenchError
from bench.store.config import SHARED

CONF = Path(__file__).parents[2] / "conf"
# Of a job, not of its cells.
NOT_RESULTS = (
    *("hydra", "cells", "results", "experiment_name"),
    *("scale", "paper", "not_built", "objective", "demo"),
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
    return deepcopy(_plain((*experiment, *extra, *rest)))


@lru_cache(maxsize=1024)  # a sweep's cells: seen before it begins, and again in their job
def _plain(overrides: tuple[str, ...]) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(composed(overrides), resolve=True)
    return {k: v for k, v in plain.items() if k not in NOT_RESULTS}


def experiment_name(config: Any, overrides: Sequence[str]) -> str:
    """The folder of a job's cells: the experiment's, "demo" where nothing is named.

    A run of one's own goes to runs_<backbone>, and with another judge, reward or prompts than the
    backbone brings to a folder that says so: what cannot share a report is kept apart.
    """
    keys = {o.lstrip("+").split("=")[0] for o in overrides}
    if keys & {"experiment", "experiment_name"}:
        return str(config.experiment_name)
    own = keys & {"method", "method.name", "cells", "backbone"}
    parts = [f"runs_{config.backbone.name}" if own else str(config.experiment_name)]
    usual = composed([o for o in overrides if o.split("=")[0] == "backbone"])
    for key in (*SHARED, "prompts.path", "weights"):
        value = OmegaConf.select(config, key)
        if value is not None and value != OmegaConf.select(usual, key):
            value = Path(str(value)).stem if key == "prompts.path" else value
            parts.append(re.sub(r"\W+", "_", f"{key.removesuffix('.name')}_{value}"))
    return "_".join(parts)


def _of_job(override: str) -> bool:
    """Whether an override says where jobs run, not what a cell is."""
    return re.split("[=./]", override.lstrip("+~"))[0] in ("hydra", *PLUGINS)


def parsed(overrides: Sequence[str]) -> list[Override]:
    """Overrides as Hydra reads them. Raises BenchError, in words."""
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise BenchError(" ".join(str(error).split())) from None


def choices(override: Override) -> list[str]:
    """The overrides that a sweep makes of one, as Hydra's -m does; of any other itself."""
    line = str(override.input_line)
    if not override.is_sweep_override():
        return [line]
    if not override.is_discrete_sweep():
        raise BenchError(f"{line}: an interval is for a search, add sweep=optuna")
    glob = override.value()
    if isinstance(glob, Glob):
        options = groups().get(override.key_or_group, [])
        values = glob.filter(options)
        if not values:
            raise BenchError(f"{line} matches none of {', '.join(options)}")
    else:
        values = list(override.sweep_string_iterator())
    return [f"{override.get_key_element()}={value}" for value in values]


def expand(line: str) -> list[list[str]]:
    """A cell's line of overrides -> one list a cell: "n=9,25 s=1" makes two."""
    each = [choices(override) for override in parsed(line.split())]
    return [list(cell) for cell in product(*each)]


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


def written_out(arguments: Sequence[str]) -> list[str]:
    """Arguments as Hydra takes them: it knows no null launcher, and its glob() sees no paper/*."""
    made = []
    for argument in arguments:
        if argument in (f"{group}=null" for group in PLUGINS):
            continue
        key, _, value = argument.partition("=")
        if value.startswith("glob(") and key.lstrip("+") in groups():
            (override,) = parsed([argument])
            argument = f"{key}={','.join(_value(choice) for choice in choices(override))}"
        made.append(argument)
    return made


def check_command_line(arguments: Sequence[str]) -> None:
    """Raise BenchError for an unknown option of a group, and for what is not installed."""
    known = groups()
    for override in parsed([a for a in arguments if "=" in a and not a.startswith(("-", "~"))]):
        group = override.key_or_group
        if group not in known:
            continue
        for name in (n for c in choices(override) for n in _value(c).strip("[]'\"").split(",")):
            if name not in known[group]:
                near = get_close_matches(name, known[group], n=1, cutoff=0.4)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                options = ", ".join(known[group])
                raise BenchError(f"there is no {group} {name!r}: choose from {options}{hint}")
            if group in PLUGINS:
                _check_plugin(group, name, arguments)


def jobs(arguments: Sequence[str]) -> tuple[Iterator[list[str]], int]:
    """The overrides of each job of a command line, and how many jobs there are.

    Where a sweeper chooses, one: what is the same in all its trials.
    """
    own = [a for a in arguments if not a.startswith("-") and not _of_job(a)]
    overrides = parsed(own)
    if searches(arguments):
        pairs = zip(own, overrides, strict=True)
        return iter([[text for text, override in pairs if not override.is_sweep_override()]]), 1
    each = [choices(override) for override in overrides]
    return (list(job) for job in product(*each)), prod(map(len, each))


def sweeps(arguments: Sequence[str]) -> bool:
    """Whether the command line is of several jobs."""
    return bool({"-m", "--multirun"} & set(arguments))


def searches(arguments: Sequence[str]) -> bool:
    """Whether a sweeper chooses the jobs one after the other."""
    return any(a.split("=")[0] in ("sweep", "hydra/sweeper") for a in arguments)


def _value(override: str) -> str:
    return override.partition("=")[2]


def _check_plugin(group: str, name: str, arguments: Sequence[str]) -> None:
    """Raise BenchError where a launcher or sweeper is not installed, or there is no sweep."""
    if find_spec("hydra_plugins") is None or not find_spec(f"hydra_plugins.{PLUGINS[group][name]}"):
        raise BenchError(
            f"{group}={name} needs the package {PLUGINS[group][name].replace('_', '-')}: "
            "pip install -c constraints.txt 'guidance-bench[scale-out]'"
        )
    if not sweeps(arguments):
        raise BenchError(f"{group}={name} is for a sweep's jobs: add -m and what to sweep")
