"""Which pinned weights a configuration needs: its backbone's, its rewards', its judge's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.errors import BenchError
from bench.weights.source import Source, cache, found

STUDENTS = ".students."


@dataclass(frozen=True)
class Need:
    """A source, what it is for, the key under which the configuration has it, and whether only
    solvers that are not the usual ones use it."""

    what: str
    key: str
    source: Source
    optional: bool


def needs(config: Mapping[str, Any]) -> list[Need]:
    """Everything pretrained that a composed configuration names, each place once."""
    every: dict[Source, Need] = {}
    for need in _walk(config):
        known = every.get(need.source)
        if known is None or (known.optional and not need.optional):
            every[need.source] = need
    return list(every.values())


def check_here(config: Mapping[str, Any]) -> None:
    """Raise BenchError, naming all that is missing and the command that fetches it, unless what a
    cell's settings need is on this machine."""
    absent = [need for need in needs(config) if not need.optional and not found(need.source)]
    if not absent:
        return
    students = [need.what.rpartition(STUDENTS)[2] for need in absent if STUDENTS in need.what]
    words = config["backbone"]["name"] + (f" --students {','.join(students)}" if students else "")
    raise BenchError(
        f"the weights of {', '.join(need.what for need in absent)} are not on this machine: fetch "
        f"them once with `python -m bench.weights fetch {words}`, followed by this run's settings "
        f"of rewards, scores and judge if it has any ({sum(n.source.gb for n in absent):.2f} GB, "
        f"into {cache()}), or name folders or files as their weights"
    )


def _walk(config: Mapping[str, Any]) -> Iterator[Need]:
    backbone = config["backbone"]
    for key, source in _of_backbone(backbone):
        what = key.removesuffix(".source").replace("backbone", backbone["name"], 1)
        student = what.rpartition(STUDENTS)[2] if STUDENTS in what else None
        yield Need(what, key, source, student is not None and student not in _usual(config))
    for name in _used_rewards(config):
        for key, source in sources(config["rewards"][name], f"rewards.{name}"):
            yield Need(key.removesuffix(".source"), key, source, False)
    if isinstance(config.get("judge"), Mapping):
        for key, source in sources(config["judge"], "judge"):
            yield Need(key, key, source, False)


def _of_backbone(backbone: Mapping[str, Any]) -> Iterator[tuple[str, Source]]:
    """A folder takes the place of the pipeline alone, random weights that of students too."""
    students = backbone.get("students") or {}
    yield from sources({k: v for k, v in backbone.items() if k != "students"}, "backbone")
    if backbone.get("weights") not in ("random", "tiny"):
        yield from sources(students, "backbone.students")


def _usual(config: Mapping[str, Any]) -> set[str | None]:
    """The students of the solvers that a configuration names."""
    estimators = (config.get("method") or {}).get("efr") or {}
    settings = [config.get("lookahead"), *estimators.values()]
    named = [config["solver"], *(own.get("solver") for own in settings if own)]
    solvers = config["backbone"].get("solvers") or {}
    return {solvers[name].get("denoiser") for name in named if name in solvers}


def _used_rewards(config: Mapping[str, Any]) -> list[str]:
    """The guiding reward, the scores, the parts of mixes, and CLIP, whose features measure
    diversity wherever images are judged."""
    names = [config["reward"], *config["scores"]]
    for name in names:
        names += [part for part in config["rewards"][name].get("of", {}) if part not in names]
    kind = (config.get("judge") or {}).get("kind")
    if "clip" in config["rewards"] and kind != "truth" and (kind != "none" or config["scores"]):
        names.append("clip")
    return list(dict.fromkeys(names))


def sources(node: Any, key: str) -> Iterator[tuple[str, Source]]:
    """Each pinned source in a mapping and below it, with its dotted key; none where the mapping's
    weights are not pretrained."""
    if not isinstance(node, Mapping) or node.get("weights", "pretrained") != "pretrained":
        return
    if "repo" in node:
        yield key, Source.of(node)
        return
    for name, child in node.items():
        yield from sources(child, f"{key}.{name}")
