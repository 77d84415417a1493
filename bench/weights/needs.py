"""Which pinned weights a configuration needs: its backbone's, its rewards', its judge's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.weights.source import Source


@dataclass(frozen=True)
class Need:
    """A source, what it is for, and whether only solvers that are not the usual ones use it."""

    what: str
    source: Source
    optional: bool


def needs(config: Mapping[str, Any]) -> list[Need]:
    """Everything pretrained that a composed configuration names, each place once."""
    found: dict[Source, Need] = {}
    for need in _walk(config):
        known = found.get(need.source)
        if known is None or (known.optional and not need.optional):
            found[need.source] = need
    return list(found.values())


def _walk(config: Mapping[str, Any]) -> Iterator[Need]:
    backbone = config["backbone"]
    usual = [config["solver"], (config.get("lookahead") or {}).get("solver")]
    solvers = backbone.get("solvers") or {}
    used = {solvers[name].get("denoiser") for name in usual if name in solvers}
    for what, source in sources(backbone, backbone["name"]):
        name = what.rpartition(".students.")[2] if ".students." in what else None
        yield Need(what, source, name is not None and name not in used)
    for name in _used_rewards(config):
        for what, source in sources(config["rewards"][name], f"rewards.{name}"):
            yield Need(what, source, False)
    if isinstance(config.get("judge"), Mapping):
        for what, source in sources(config["judge"], "judge"):
            yield Need(what, source, False)


def _used_rewards(config: Mapping[str, Any]) -> list[str]:
    """The guiding reward, the scores, the parts of mixes, and CLIP, whose features measure
    diversity."""
    names = [config["reward"], *config["scores"]]
    for name in names:
        names += [part for part in config["rewards"][name].get("of", {}) if part not in names]
    if config["scores"] and "clip" in config["rewards"]:
        names.append("clip")
    return list(dict.fromkeys(names))


def sources(node: Any, what: str) -> Iterator[tuple[str, Source]]:
    """Each pinned source in a mapping and below it, with the name of what it is for; none where the
    mapping's weights are not pretrained."""
    if not isinstance(node, Mapping) or node.get("weights", "pretrained") != "pretrained":
        return
    if "repo" in node:
        yield what.removesuffix(".source"), Source.of(node)
        return
    for key, child in node.items():
        yield from sources(child, f"{what}.{key}")
