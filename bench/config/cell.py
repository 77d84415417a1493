"""A cell: one method setting × backbone × prompts; its id hashes what decides its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.config.model import checked
from bench.config.model import parse_shard as parse_shard
from bench.errors import explained
from bench.judge.judges import check_prompts, names_used
from bench.outside import digest, targets
from bench.prompts.choice import Prompt, choose
from bench.prompts.sources import CHOICE, load_prompts
from bench.rewards import used
from methods.method import Method

ROOT = Path(__file__).parents[2]
# The sources that decide a result; an edit elsewhere (the report, say) makes none anew.
DECIDING = (
    "methods/**/*.py",
    "bench/backbones/*.py",
    "bench/geneval/*.py",
    "bench/judge/judges.py",
    "bench/miniature/*.py",
    "bench/mixture/*.py",
    "bench/molecules/*.py",
    "bench/tokens/*.py",
    "bench/noise.py",
    "bench/rewards/*.py",
    "bench/run/measure.py",
    "bench/store/images.py",
)
WHERE = ("device", "batch")  # settings of a judge that say where and how fast it runs


@dataclass(frozen=True)
class Cell:
    """Everything that one cell needs, validated. ``total``: prompts of all shards together."""

    settings: Mapping[str, Any]
    method: Method
    backbone: Mapping[str, Any]
    judge: Mapping[str, Any]
    reward: str
    scores: Sequence[str]
    solver: str
    steps: int
    images: int
    seed: int
    yardstick_every: int
    shard: str
    device: str
    prompts: Sequence[Prompt]
    total: int

    @property
    def solvers(self) -> list[str]:
        """Every solver that the method and the yardstick run."""
        own = [getattr(part, "solver", None) for _, part in self.method.parts()]
        return list(dict.fromkeys([self.solver, *(s for s in own if s is not None)]))


@cache
def code_digest() -> str:
    """sha256 of the sources that decide a result."""
    total = hashlib.sha256()
    for pattern in DECIDING:
        for file in sorted(ROOT.glob(pattern)):
            total.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return total.hexdigest()[:16]


def rewards_used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the rewards that guide, score or measure diversity, and of what they mix."""
    return used(names_used(settings), settings["rewards"])


def make_cell(given: Mapping[str, Any]) -> Cell:
    """Validate a composed configuration. Loads no model, unless a reward from outside the package
    has to be tried to know whether it is differentiable."""
    with explained():
        settings, method = checked(given)
        listing, chosen = load_prompts(given["prompts"]), given["prompts"]
        prompts = choose(listing.prompts, **{key: chosen.get(key) for key in CHOICE})
        check_prompts(given["judge"], prompts)
        sources = outside_sources(given)
    number, count = parse_shard(settings.shard)
    known = {"total": len(prompts), "sha256": listing.sha256, "duplicates": listing.duplicates}
    shared = ("backbone", "judge", "reward", "scores", "solver", "steps", "images", "seed")
    whole = {"method": resolved(given["method"], method), "sources": sources}
    return Cell(
        settings={**given, **whole, "prompts": {**chosen, **known}},
        method=method,
        prompts=prompts[number::count],
        total=len(prompts),
        **{key: given[key] for key in (*shared, "yardstick_every", "shard", "device")},
    )


def resolved(given: Mapping[str, Any], method: Method) -> dict[str, Any]:
    """A ``method`` config with every field of its parts, those that nobody set included."""

    def whole(options: Mapping[str, Any] | None, part: Any) -> dict[str, Any]:
        own = {f.name: getattr(part, f.name) for f in fields(part)} if is_dataclass(part) else {}
        plain = {k: list(v) if isinstance(v, tuple) else v for k, v in own.items()}
        return {**(options or {}), **{k: v for k, v in plain.items() if k not in (options or {})}}

    parts = {"efr": method.estimators, "steer": method.steers}
    return {**given} | {
        side: {name: whole((given.get(side) or {}).get(name), part) for name, part in own.items()}
        for side, own in parts.items()
    }


def outside_sources(settings: Mapping[str, Any]) -> dict[str, str]:
    """Dotted key -> digest of the source, of each component from outside that a cell uses. What a
    source of prompts says is hashed by itself."""
    groups = {key: settings[key] for key in ("backbone", "judge", "method")}
    groups["rewards"] = rewards_used(settings)
    found = [pair for key, node in groups.items() for pair in targets(node, key)]
    return {key: digest(path) for key, path in found}


def deciding(settings: Mapping[str, Any], weights: Mapping[str, str], code: str) -> dict[str, Any]:
    """What of a cell's settings decides its result, not where it runs or what is timed."""
    keys = ("method", "backbone", "solver", "steps", "images", "seed", "reward", "scores")
    content = {key: settings[key] for key in keys}
    content["prompts"] = settings["prompts"]["sha256"]  # of the whole list, however many are taken
    if skipped := settings["prompts"].get("skip_per_task"):
        content["skipped"] = skipped  # prompts held out are never pooled with those they are from
    content["target_scale"] = settings.get("target_scale")
    content["judge"] = {k: v for k, v in settings["judge"].items() if k not in WHERE}
    content["rewards"] = rewards_used(settings)
    content["sources"] = settings.get("sources") or {}
    return content | {"weights": dict(weights), "code": code}


def identity(cell: Cell, weights: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits: a hash of ``deciding``."""
    text = json.dumps(deciding(cell.settings, weights, code_digest()), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
