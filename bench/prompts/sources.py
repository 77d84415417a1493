"""Sources of prompts by name, their settings checked, and a source's whole list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.outside import called, check_call, load
from bench.prompts import files, published
from bench.prompts.choice import Metadata, Prompt
from bench.settings import between, check_keys
from methods.settings import one_of, whole

Settings = Mapping[str, Any]  # a ``prompts`` config
CHOICE = ("per_task", "limit", "skip_per_task")  # of a list; all other settings are the source's
MOST = 100_000  # far more than anybody draws, and refused for a slip of the keyboard before it runs


@dataclass(frozen=True)
class Source:
    """``rows``: the prompts in order, from the settings named ``keys``. ``fetch``: what a user puts
    at prompts.path; "" where nothing is read. ``lists``: names of settings that are lists."""

    rows: Callable[..., Iterable[Metadata]]
    fetch: str = ""
    lists: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        return ("path",) if self.fetch else ("n", "seed", *self.lists)


@dataclass(frozen=True)
class Listing:
    """A source's whole list. ``sha256``: of all that it says. ``duplicates``: how many prompts were
    left out because their text was there already, which the noise ledger would sample alike."""

    prompts: Sequence[Prompt]
    sha256: str
    duplicates: int


def _geneval(n: int, seed: int) -> list[dict[str, Any]]:
    from bench.geneval.prompts import generate

    return generate(n, seed)


def _mixture(n: int, seed: int, tags: Sequence[str]) -> list[dict[str, Any]]:
    from bench.mixture.problems import generate

    return generate(n, seed, tags)


def _molecules(n: int, seed: int) -> Iterable[Metadata]:
    from bench.molecules.judge import sets

    return sets(n, seed)


def _strings(n: int, seed: int) -> list[dict[str, Any]]:
    from bench.tokens.problems import generate

    return generate(n, seed)


SOURCES: dict[str, Source] = {
    "geneval": Source(_geneval),
    "mixture": Source(_mixture, lists=("tags",)),
    "molecules": Source(_molecules),
    "strings": Source(_strings),
    "file": Source(
        files.read, "your prompts: text with one a line, or .csv, .tsv, .json or .jsonl"
    ),
    "drawbench": Source(
        files.read, "DrawBench as CSV (Prompts, Category), from https://imagen.research.google"
    ),
    "partiprompts": Source(
        files.read, "PartiPrompts.tsv, from https://github.com/google-research/parti"
    ),
    "hpdv2": Source(
        published.hpdv2,
        "the folder benchmark with anime.json, concept-art.json, paintings.json and photo.json, "
        "from https://huggingface.co/datasets/zhwang/HPDv2",
    ),
    "dpg": Source(
        published.dpg,
        "the folder dpg_bench/prompts, from https://github.com/TencentQQGYLab/ELLA",
    ),
    "unigenbench": Source(
        published.unigenbench,
        "data/test_prompts_en.csv, from https://github.com/CodeGoat24/UniGenBench",
    ),
}


def check_source(settings: Settings) -> None:
    """Raise ValueError or BenchError for an unknown source, or a setting that is wrong."""
    name = str(settings.get("source"))
    for key in CHOICE:
        if settings.get(key) is not None:
            whole(f"prompts.{key}", settings[key], 1)
    if "." in name:
        check_call(load(name, "prompts.source"), _own(settings), "prompts")
        return
    one_of("prompts.source", name, list(SOURCES))
    source = SOURCES[name]
    if missing := [key for key in source.keys if key not in settings]:
        raise ValueError(
            f"prompts.source={name} needs prompts.{missing[0]}: choose it as prompts={name}"
        )
    check_keys("prompts", settings, ["source", *source.keys, *CHOICE])
    if "n" in source.keys:
        between("prompts.n", settings["n"], 1, MOST)
        whole("prompts.seed", settings["seed"], 0)
    for key in source.lists:
        if isinstance(settings[key], str) or not settings[key]:
            raise ValueError(f"prompts.{key} must be a list such as [a,b], got {settings[key]!r}")
    if source.fetch:
        path = settings["path"]
        if not isinstance(path, str | Path) or not str(path):
            raise ValueError(f"prompts.path=PATH must say where it is: {source.fetch}")
        if not Path(path).expanduser().exists():
            raise ValueError(f"prompts.path={path} does not exist; put there {source.fetch}")


def load_prompts(settings: Settings) -> Listing:
    """The whole list of the source that checked ``settings`` name.

    Raises ValueError for a file that cannot be read as prompts, or holds none.
    """
    if "." in settings["source"]:
        return _outside(settings)
    source = SOURCES[settings["source"]]
    if not source.fetch:
        lists = [tuple(settings[key]) for key in source.lists]
        return _listing(source, settings["n"], settings["seed"], *lists)
    path = Path(settings["path"]).expanduser().absolute()
    try:
        state = [(path, path.stat()), *((f, f.stat()) for f in path.glob("*"))]
        stamp = hash(tuple((f, s.st_mtime_ns, s.st_size) for f, s in state))
        listing = _listing(source, path, stamp=stamp)
    except OSError as error:
        raise ValueError(f"prompts.path={settings['path']} cannot be read: {error}") from None
    if not listing.prompts:
        raise ValueError(f"prompts.path={settings['path']} holds no prompt: {source.fetch}")
    return listing


@lru_cache(maxsize=2)  # the cells of a job share a list; ``stamp`` changes with the files
def _listing(source: Source, *arguments: Any, stamp: int = 0) -> Listing:
    return _listed(source.rows(*arguments))


def _own(settings: Settings) -> dict[str, Any]:
    """The settings that a source itself receives."""
    return {k: v for k, v in settings.items() if k not in ("source", *CHOICE)}


def _outside(settings: Settings) -> Listing:
    """The list that a function from outside the package gives: texts, or objects with a prompt."""
    name = settings["source"]
    call = load(name, "prompts.source")
    rows = called(lambda: list(call(**_own(settings))), {}, "prompts")
    listing = _listed(
        made
        for number, row in enumerate(rows, start=1)
        for made in files.metadata(row, f"{name}, prompt {number}")
    )
    if not listing.prompts:
        raise ValueError(f"prompts.source={name} gave no prompt")
    return listing


def _listed(rows: Iterable[Metadata]) -> Listing:
    digest, texts = hashlib.sha256(), set[str]()
    prompts, duplicates = list[Prompt](), 0
    for row in rows:
        if row["prompt"] in texts:
            duplicates += 1
            continue
        texts.add(row["prompt"])
        prompts.append(Prompt(len(prompts), row))
        digest.update(json.dumps(row, allow_nan=False).encode() + b"\n")
    return Listing(prompts, digest.hexdigest(), duplicates)
