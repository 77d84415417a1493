"""Composing configurations, in Hydra's way.

A user's own folder of configurations is one of Hydra's search path: ``--config-dir DIR``, which
``bench.config.overrides`` turns into the override ``hydra.searchpath``. All that composes takes
overrides, so the search path is known wherever they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from bench.errors import BenchError
from bench.outside import OUTSIDE, TARGET
from bench.settings import nearest
from bench.store.config import SHARED

CONF = Path(__file__).parents[2] / "conf"
SEARCH = "hydra.searchpath"
# Of a job, not of its cells.
NOT_RESULTS = (
    *("hydra", "cells", "contrasts", "results", "experiment_name"),
    *("scale", "paper", "objective", "demo", "cost_model"),
)


def cell_settings(overrides: Sequence[str], extra: Sequence[str]) -> dict[str, Any]:
    """A cell's plain settings: the command line's overrides, the cell's own before them.

    What the user says on the command line wins over what the experiment says of its cell.
    """
    experiment = [o for o in overrides if o.lstrip("+").startswith("experiment=")]
    rest = [o for o in overrides if o not in experiment and not of_job(o)]
    return deepcopy(_plain((*experiment, *extra, *rest)))


@lru_cache(maxsize=1024)  # a sweep's cells: seen before it begins, and again in their job
def _plain(overrides: tuple[str, ...]) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(composed(overrides), resolve=True)
    settings = {k: v for k, v in plain.items() if k not in NOT_RESULTS}
    _name_method(settings, overrides)
    return _with_outside(settings)


def _name_method(settings: dict[str, Any], overrides: Sequence[str]) -> None:
    """A method file of the user's that has no name of its own is named as the file: under the name
    that it inherits its results would be taken for another method's."""
    chosen = [o.partition("=")[2] for o in overrides if o.startswith("method=")]
    named = any(o.lstrip("+").startswith("method.name=") for o in overrides)
    file = paths("method", overrides).get(chosen[-1]) if chosen and not named else None
    if file is not None and CONF not in file.parents and "name" not in OmegaConf.load(file):
        settings["method"]["name"] = Path(chosen[-1]).name


def _with_outside(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings in which what comes from outside the package is named as the rest is: a reward that
    is an import path is among rewards and scores, and a group with a ``_target_`` has a kind."""
    for key in ("backbone", "judge"):
        if isinstance(group := settings.get(key), dict) and TARGET in group:
            group.setdefault("kind", OUTSIDE)
    rewards, scores = settings.get("rewards"), settings.get("scores")
    if not isinstance(rewards, dict) or not isinstance(scores, list):
        return settings
    reward = settings.get("reward")
    for name in [reward, *scores]:
        if isinstance(name, str) and "." in name:
            rewards.setdefault(name, {TARGET: name})
    if isinstance(reward, str) and "." in reward and reward not in scores:
        scores.insert(0, reward)
    return settings


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
    usual = composed([o for o in overrides if o.split("=")[0] in ("backbone", SEARCH)])
    for key in (*SHARED, "prompts.path", "weights"):
        value = OmegaConf.select(config, key)
        if value is not None and value != OmegaConf.select(usual, key):
            value = Path(str(value)).stem if key == "prompts.path" else value
            parts.append(re.sub(r"\W+", "_", f"{key.removesuffix('.name')}_{value}"))
    return "_".join(parts)


def of_job(override: str) -> bool:
    """Whether an override says where jobs run, not what a cell is."""
    if override.startswith(f"{SEARCH}="):
        return False
    return re.split("[=./]", override.lstrip("+~"))[0] in ("hydra", "launch", "sweep")


def parsed(overrides: Sequence[str]) -> list[Override]:
    """Overrides as Hydra reads them. Raises BenchError, in words."""
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except HydraException as error:
        raise BenchError(" ".join(str(error).split())) from None


def composed(overrides: Sequence[str]) -> Any:
    """Hydra's configuration of these overrides. Raises BenchError, in words."""
    try:
        return _hydra(overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise BenchError(_explain(str(error), overrides)) from None
    except YAMLError as error:
        raise BenchError(" ".join(str(error).split())) from None


def _hydra(overrides: Sequence[str]) -> Any:
    if GlobalHydra.instance().is_initialized():
        return compose("config", overrides=list(overrides))
    with initialize_config_module("conf", version_base="1.3"):
        return compose("config", overrides=list(overrides))


def searched(overrides: Sequence[str]) -> list[str]:
    """The override among these that names folders of configurations; none where there is none."""
    return [o for o in overrides if o.startswith(f"{SEARCH}=")][-1:]


def folders(overrides: Sequence[str] = ()) -> list[Path]:
    """The packaged folder of configurations, then the user's. BenchError where one is missing."""
    found = [CONF]
    for override in parsed(searched(overrides)):
        places = override.value()
        for place in places if isinstance(places, list) else [places]:
            kind, _, rest = str(place).rpartition("://")
            folder = Path(str(files(rest)) if kind == "pkg" else rest).expanduser().absolute()
            if not folder.is_dir():
                raise BenchError(f"{SEARCH}: there is no folder of configurations {folder}")
            for file in folder.glob("*/**/*.yaml"):
                if (CONF / file.relative_to(folder)).exists():
                    raise BenchError(f"{file} has the name of a packaged file: give it another")
            found.append(folder)
    return found


def paths(group: str, overrides: Sequence[str] = ()) -> dict[str, Path]:
    """The file of each option of a group, as Hydra finds it: the packaged ones come first."""
    found: dict[str, Path] = {}
    for folder in folders(overrides):
        for file in sorted((folder / group).rglob("*.yaml")):
            name = file.relative_to(folder / group).with_suffix("").as_posix()
            found.setdefault(name, file)
    return found


def groups(overrides: Sequence[str] = ()) -> dict[str, list[str]]:
    """Configuration groups and their options, from the files; a folder's file is an option of the
    groups above it too: experiment has paper/table2."""
    found: dict[str, dict[str, None]] = {}
    for folder in folders(overrides):
        for file in sorted(folder.rglob("*.yaml")):
            parts = file.relative_to(folder).with_suffix("").parts
            for depth in range(1, len(parts)):
                options = found.setdefault("/".join(parts[:depth]), {})
                options["/".join(parts[depth:])] = None
    return {group: list(options) for group, options in found.items()}


def _keys(node: Any, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return []
    names = []
    for key, value in node.items():
        names += [f"{prefix}{key}", *_keys(value, f"{prefix}{key}.")]
    return names


def _explain(message: str, overrides: Sequence[str]) -> str:
    """Hydra's complaint, with the nearest key where a key is unknown."""
    if missing := re.search(r"Could not (?:load|find) '([^']+)/([^'/]+)'", message):
        group, name = missing.groups()
        options = groups(overrides).get(group, [])
        return f"there is no {group}/{name}.yaml{nearest(name, options)}"
    match = re.search(r"Could not override '([^']+)'", message)
    if not match:
        return " ".join(message.split())
    wrong, known = match.group(1), groups(overrides)
    chosen = [o for o in overrides if o.split("=")[0] in (*known, SEARCH)]
    try:
        keys = _keys(OmegaConf.to_container(_hydra(chosen)))
    except (HydraException, OmegaConfBaseException):  # a second complaint is not explained
        keys = []
    method = next((o.partition("=")[2] for o in overrides if o.startswith("method=")), "")
    of = f" of method {method}" if method and wrong.startswith("method.") else ""
    return f"there is no setting {wrong!r}{of}{nearest(wrong, keys)}"
