"""The primary contrasts of an experiment: pairs of cells that are compared first, named beforehand.

A side of a contrast is a line such as ``method=lidar method.efr.lookahead.n=16``: settings that one
cell alone has. A group by itself stands for its name, so that ``method=`` is what the cell's method
is called. The run copies the contrasts into its results folder, beside the cells, whose identities
owe nothing to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from bench.errors import BenchError
from bench.store.config import leaves
from bench.store.disk import replace_text, writing

FILE = "contrasts.yaml"
FORM = '"contrasts" holds lines such as "LiDAR less vanilla: [method=lidar, method=vanilla]"'

Contrasts = Mapping[str, tuple[str, str]]


def parsed(given: Any) -> Contrasts:
    """Name -> the two lines, checked. Raises BenchError for anything else."""
    if not isinstance(given or {}, Mapping):
        raise BenchError(f"{FORM}, got {given!r}")
    found = {}
    for name, sides in (given or {}).items():
        if not isinstance(sides, Sequence) or isinstance(sides, str) or len(sides) != 2:
            raise BenchError(f"{FORM}: {name!r} needs two sides, got {sides!r}")
        for side in sides:
            if not isinstance(side, str) or not side or any("=" not in w for w in side.split()):
                raise BenchError(f"{FORM}: a side of {name!r} is {side!r}")
        found[str(name)] = (str(sides[0]), str(sides[1]))
    return found


def is_of(side: str, settings: Mapping[str, Any]) -> bool:
    """Whether a cell's settings are those that a line names."""
    known = leaves(settings)
    for word in side.split():
        key, _, value = word.partition("=")
        key = f"{key}.name" if f"{key}.name" in known else key
        if key not in known or known[key] != yaml.safe_load(value):
            return False
    return True


def check(contrasts: Contrasts, cells: Sequence[Mapping[str, Any]]) -> None:
    """Raise BenchError unless every side names one of the cells' settings, and a pair two."""
    for name, sides in contrasts.items():
        places = []
        for side in sides:
            own = [place for place, settings in enumerate(cells) if is_of(side, settings)]
            if len(own) != 1:
                raise BenchError(
                    f"contrast {name!r}: {side!r} names {len(own)} of the {len(cells)} cells, and "
                    "must name one"
                )
            places += own
        if places[0] == places[1]:
            raise BenchError(f"contrast {name!r} compares a cell with itself")


def write(folder: Path, contrasts: Contrasts) -> None:
    """Into a results folder, in place of those that were there."""
    path, plain = folder / FILE, {name: list(pair) for name, pair in contrasts.items()}
    with writing(path):
        replace_text(path, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=1000))


def read(folder: Path) -> Contrasts:
    """Of a results folder; none where it has no such file."""
    path = folder / FILE
    try:
        return parsed(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BenchError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
