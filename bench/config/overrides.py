"""A command line's overrides: what a sweep makes of them, checked before Hydra sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Glob, Override

from bench.config.compose import SEARCH, groups, of_job, parsed
from bench.errors import BenchError
from bench.settings import nearest

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
MULTIRUN = {"-m", "--multirun"}


def choices(override: Override, known: Mapping[str, list[str]] | None = None) -> list[str]:
    """The overrides that a sweep makes of one, as Hydra's -m does; of any other itself. ``known``:
    the groups' options, of which a glob() chooses; the packaged ones where it is left out."""
    known = groups() if known is None else known
    line = str(override.input_line)
    if not override.is_sweep_override():
        return [line]
    if not override.is_discrete_sweep():
        raise BenchError(f"{line}: an interval is for a search, add sweep=optuna")
    glob = override.value()
    if isinstance(glob, Glob):
        options = known.get(override.key_or_group, [])
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


def written_out(arguments: Sequence[str]) -> list[str]:
    """Arguments as Hydra takes them: it knows no null launcher, its glob() sees no paper/*, and it
    keeps --config-dir from what is composed before and beside it."""
    arguments = _with_search_path(arguments)
    known, made = groups(arguments), []
    for argument in arguments:
        if argument in (f"{group}=null" for group in PLUGINS):
            continue
        key, _, value = argument.partition("=")
        if value.startswith("glob(") and key.lstrip("+") in known:
            (override,) = parsed([argument])
            argument = f"{key}={','.join(_value(choice) for choice in choices(override, known))}"
        made.append(argument)
    first = [a for a in made if a in MULTIRUN]  # among overrides its parser trips over them
    return first + [a for a in made if a not in MULTIRUN]


def _with_search_path(arguments: Sequence[str]) -> list[str]:
    """Arguments with --config-dir DIR and hydra.searchpath=[…] as one hydra.searchpath."""
    every = iter(arguments)
    places: list[Any] = []
    rest: list[str] = []
    for argument in every:
        option, equals, value = argument.partition("=")
        if option in ("--config-dir", "-cd"):
            place = value if equals else next(every, "")
            if not place:
                raise BenchError("--config-dir needs a folder of configurations")
            places.append(place)
        elif option == SEARCH:
            (override,) = parsed([argument])
            given = override.value()
            places += given if isinstance(given, list) else [given]
        else:
            rest.append(argument)
    if not places:
        return rest
    plain = [str(place).removeprefix("file://") for place in places]
    whole = [p if "://" in p else str(Path(p).expanduser().absolute()) for p in plain]
    quoted = ",".join(f"'{place}'" for place in whole)
    return [*rest, f"{SEARCH}=[{quoted}]"]


def check_command_line(arguments: Sequence[str]) -> None:
    """Raise BenchError for an unknown option of a group, and for what is not installed."""
    known = groups(arguments)
    for override in parsed([a for a in arguments if "=" in a and not a.startswith(("-", "~"))]):
        group = override.key_or_group
        if group not in known:
            continue
        names = (_value(choice) for choice in choices(override, known))
        for name in (n for value in names for n in value.strip("[]'\"").split(",")):
            if name not in known[group]:
                options = ", ".join(known[group])
                hint = nearest(name, known[group])
                raise BenchError(f"there is no {group} {name!r}: choose from {options}{hint}")
            if group in PLUGINS:
                _check_plugin(group, name, arguments)


def jobs(arguments: Sequence[str]) -> tuple[Iterator[list[str]], int]:
    """The overrides of each job of a command line, and how many jobs there are.

    Where a sweeper chooses, one: what is the same in all its trials.
    """
    own = [a for a in arguments if not a.startswith("-") and not of_job(a)]
    overrides, known = parsed(own), groups(arguments)
    if searches(arguments):
        pairs = zip(own, overrides, strict=True)
        return iter([[text for text, override in pairs if not override.is_sweep_override()]]), 1
    each = [choices(override, known) for override in overrides]
    return (list(job) for job in product(*each)), prod(map(len, each))


def sweeps(arguments: Sequence[str]) -> bool:
    """Whether the command line is of several jobs."""
    return bool(MULTIRUN & set(arguments))


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
