"""A cell: one method setting × backbone × prompts; its id hashes what decides its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.config.model import checked
from bench.config.model import parse_shard as parse_shard
from bench.errors import explained
from bench.geneval.prompts import Metadata
from bench.judge.judges import NONE, names_used
from bench.outside import called, digest, load, targets
from bench.rewards import used
from methods.method import Method
from methods.settings import one_of

ROOT = Path(__file__).parents[2]
# The sources that decide a result; an edit elsewhere (the report, say) makes none anew.
DECIDING = (
    "methods/**/*.py",
    "bench/backbones/*.py",
    "bench/geneval/*.py",
    "bench/judge/judges.py",
    "bench/miniature/*.py",
    "bench/mixture/*.py",
    "bench/noise.py",
    "bench/rewards/*.py",
    "bench/run/measure.py",
    "bench/store/images.py",
)
WHERE = ("device", "batch")  # settings of a judge that say where and how fast it runs


@dataclass(frozen=True)
class Prompt:
    """A prompt and its place in the whole list that the experiment draws from."""

    index: int
    metadata: Metadata

    @property
    def text(self) -> str:
        return str(self.metadata["prompt"])


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
        lookahead = [getattr(e, "solver", None) for e in self.method.estimators.values()]
        return list(dict.fromkeys([self.solver, *(s for s in lookahead if s is not None)]))


@cache
def code_digest() -> str:
    """sha256 of the sources that decide a result."""
    total = hashlib.sha256()
    for pattern in DECIDING:
        for file in sorted(ROOT.glob(pattern)):
            total.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return total.hexdigest()[:16]


def _geneval(n: int, seed: int) -> list[Metadata]:
    from bench.geneval.prompts import generate

    return generate(n, seed)


def _mixture(n: int, seed: int) -> list[Metadata]:
    from bench.mixture.problems import generate

    return generate(n, seed)


SOURCES: dict[str, Callable[[int, int], list[Metadata]]] = {
    "geneval": _geneval,
    "mixture": _mixture,
}


def choose_prompts(
    source: str, n: int, seed: int, per_task: int | None, limit: int | None = None
) -> list[Prompt]:
    """A generator's prompts, or ``per_task`` of each task, evenly spaced through its list.

    ``limit``: of these the first so many.
    """
    if "." not in source:
        one_of("prompts.source", source, list(SOURCES))
    generate = SOURCES.get(source) or load(source, "prompts.source")
    made = called(generate, {"n": n, "seed": seed}, "prompts")
    prompts = [Prompt(i, m) for i, m in enumerate(made)]
    if per_task is None:
        return prompts[:limit]
    chosen = []
    for task in dict.fromkeys(p.metadata["tag"] for p in prompts):
        mine = [p for p in prompts if p.metadata["tag"] == task]
        count = min(per_task, len(mine))
        chosen += [mine[(2 * k + 1) * len(mine) // (2 * count)] for k in range(count)]
    return chosen[:limit]


def rewards_used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the rewards that guide, score or measure diversity, and of what they mix."""
    return used(names_used(settings), settings["rewards"])


def make_cell(given: Mapping[str, Any]) -> Cell:
    """Validate a composed configuration. Loads no model, unless a reward from outside the package
    has to be tried to know whether it is differentiable."""
    with explained():
        settings, method = checked(given)
        sources = outside_sources(given)
        prompts = choose_prompts(**given["prompts"])
    number, count = parse_shard(settings.shard)
    shared = ("reward", "solver", "steps", "images", "seed", "yardstick_every", "shard", "device")
    return Cell(
        settings={**given, "sources": sources} if sources else given,
        method=method,
        backbone=given["backbone"],
        judge=given["judge"],
        scores=settings.scores if given["judge"]["kind"] != NONE else (),
        prompts=prompts[number::count],
        total=len(prompts),
        **{key: getattr(settings, key) for key in shared},
    )


def outside_sources(settings: Mapping[str, Any]) -> dict[str, str]:
    """Dotted key -> digest of the source, of each component from outside that a cell uses."""
    groups = {key: settings[key] for key in ("backbone", "judge", "method")}
    groups["rewards"] = rewards_used(settings)
    found = [pair for key, node in groups.items() for pair in targets(node, key)]
    if "." in (source := settings["prompts"]["source"]):
        found.append(("prompts.source", source))
    return {key: digest(path) for key, path in found}


def deciding(settings: Mapping[str, Any], weights: Mapping[str, str], code: str) -> dict[str, Any]:
    """What of a cell's settings decides its result, not where it runs or what is timed."""
    keys = ("method", "backbone", "solver", "steps", "images", "seed", "reward", "prompts")
    content = {key: settings[key] for key in keys}
    judged = settings["judge"]["kind"] != "none"
    content["scores"] = list(settings["scores"]) if judged else []
    content["target_scale"] = settings.get("target_scale")
    content["judge"] = {k: v for k, v in settings["judge"].items() if k not in WHERE}
    content["rewards"] = rewards_used(settings)
    if settings.get("sources"):
        content["sources"] = settings["sources"]
    return content | {"weights": dict(weights), "code": code}


def identity(cell: Cell, weights: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits: a hash of ``deciding``."""
    text = json.dumps(deciding(cell.settings, weights, code_digest()), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
