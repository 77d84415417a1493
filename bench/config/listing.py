"""``guidance-bench list [NAME …]``: experiments, methods, backbones, prompts, rewards, and needs.

Read from the configuration files alone: a name's line is the first sentence of its file's comment.
``--config-dir DIR`` lists a user's own files too.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import starmap
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from yaml import YAMLError

from bench.config.compose import cell_settings, paths, searched
from bench.config.overrides import written_out
from bench.errors import BenchError, explained
from bench.weights.needs import needs, sources
from methods.settings import one_of

NOT_A_LINE = ("@package", "python -m")  # of a file's comment: Hydra's directive, the command


def about(path: Path) -> str:
    """The first sentence of a file's comment, "" where it has none."""
    said = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        text = line.removeprefix("#").strip()
        if not text.startswith(NOT_A_LINE):
            said.append(text)
    return re.split(r"(?<=\.)\s", " ".join(said), maxsplit=1)[0].rstrip(".:")


def defaults(path: Path, known: Mapping[str, Path]) -> Iterator[tuple[str, Any]]:
    """Entries of a file's defaults list and of those of its own group, ``known``, that it builds
    on, in order: ("/steer@steer", "guidance"), ("override /backbone", "mixture")."""
    given: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=False)
    for entry in given.get("defaults", []):
        if isinstance(entry, dict):
            yield from entry.items()
        elif entry != "_self_":
            yield from defaults(known[entry], known)


@cache
def composed_needs(*overrides: str) -> str:
    """Of a configuration: its backbone, gigabytes of weights with rewards and judge, device."""
    settings = cell_settings(overrides, [])
    name, every = settings["backbone"]["name"], needs(settings)
    weights = sum(need.source.gb for need in every if not need.optional)
    students = sum(need.source.gb for need in every if need.optional)
    if settings.get("weights", "pretrained") != "pretrained":
        return f"{name}: {settings['weights']} weights; GPU recommended"
    if not weights:
        return f"{name}: no weights; CPU"
    more = f" (+ {students:.1f} GB of distilled denoisers)" if students else ""
    return f"{name}: {weights:.1f} GB{more}; GPU recommended"


def backbones(search: Sequence[str]) -> Table:
    def row(name: str, path: Path) -> tuple[str, str, str]:
        needed = composed_needs(f"backbone={name}", *search)
        return name, about(path), needed.partition(": ")[2]

    known = paths("backbone", search)
    return table("backbones: backbone=NAME", "needs", starmap(row, known.items()))


def experiments(search: Sequence[str]) -> Table:
    """With what they need as they are; most run on any backbone."""
    known = paths("experiment", search)

    def row(name: str, path: Path) -> tuple[str, str, str]:
        entries = dict(defaults(path, known))
        own = f"experiment={name}" if "override /backbone" in entries else "backbone=miniature"
        return name, about(path), composed_needs(own, *search)

    title = "experiments: experiment=NAME [backbone=NAME] [scale=quick]"
    return table(title, "by default", starmap(row, known.items()))


def methods(search: Sequence[str]) -> Table:
    """A method is its estimates and what is done with them; it has no weights of its own."""
    known = paths("method", search)

    def row(name: str, path: Path) -> tuple[str, str, str]:
        parts: dict[str, list[str]] = {"efr": [], "steer": []}
        for key, value in defaults(path, known):
            side = key.rpartition("@")[2]
            if side in parts:
                parts[side] += [value] if isinstance(value, str) else value
        own: Any = OmegaConf.load(path)
        for side, found in parts.items():
            found += [str(label) for label in own.get(side) or {}]
        how = " × ".join(" + ".join(dict.fromkeys(found)) for found in parts.values() if found)
        return name, about(path), how

    return table("methods: method=NAME", "estimate × steer", starmap(row, known.items()))


def prompts(search: Sequence[str]) -> Table:
    """Where prompts come from, and what must be fetched."""

    def row(name: str, path: Path) -> tuple[str, str, str]:
        needed = "prompts.path" if "path:" in path.read_text(encoding="utf-8") else "nothing"
        return name, about(path), needed

    known = paths("prompts", search)
    return table("prompts: prompts=NAME", "needs", starmap(row, known.items()))


def rewards(search: Sequence[str]) -> Table:
    """Rewards by name, of each group; the comment behind a name says what it is."""

    def rows() -> Iterator[tuple[str, str, str]]:
        for group, path in paths("rewards", search).items():
            comments = dict(re.findall(r"(?m)^(\w+):.*?# (.*)$", path.read_text(encoding="utf-8")))
            given: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
            for name, settings in given.items():
                gb = sum({s: s.gb for _, s in sources(settings, name)}.values())
                yield (
                    name,
                    comments.get(name, ""),
                    f"rewards={group}: " + (f"{gb:.1f} GB" if gb else "no weights"),
                )

    return table("rewards: reward=NAME guides, scores=[NAME,…] judge", "needs", rows())


LISTS: dict[str, Callable[[Sequence[str]], Table]] = {
    "experiments": experiments,
    "methods": methods,
    "backbones": backbones,
    "prompts": prompts,
    "rewards": rewards,
}


def table(title: str, last: str, rows: Any) -> Table:
    made = Table(
        "name", "what it is", last, box=SIMPLE_HEAD, title=Text(title), title_justify="left"
    )
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def main(arguments: Sequence[str]) -> int:
    """Print the lists named, all where none is. 2 for an unknown name."""
    try:
        written = written_out(arguments)
        search = searched(written)
        names = [word for word in written if word not in search]
        for name in names:
            with explained():
                one_of("list", name, list(LISTS))
        console = Console()
        for name in names or LISTS:
            console.print(LISTS[name](search))
    except (BenchError, YAMLError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if set(names or LISTS) & {"experiments", "backbones", "rewards"}:
        console.print(
            "pretrained weights are fetched once, by `guidance-bench weights fetch sd15` for one; "
            "weights=random measures costs and weights=tiny tries the harness without any",
            highlight=False,
        )
    return 0
