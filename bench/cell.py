"""A cell: one method setting × backbone × prompts; its id hashes what decides its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.build import build_method, check_method
from bench.errors import BenchError, explained
from bench.geneval.prompts import TASKS, Metadata, generate
from methods.sample import Method
from methods.settings import at_least, one_of, whole

ROOT = Path(__file__).parent.parent
# The sources that decide a result; an edit elsewhere (the report, say) makes none anew.
DECIDING = (
    "methods/**/*.py",
    "bench/backbones/*.py",
    "bench/geneval/*.py",
    "bench/miniature/*.py",
    "bench/rewards/*.py",
    "bench/images.py",
    "bench/judging.py",
    "bench/measure.py",
    "bench/noise.py",
)


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
    judge: str
    reward: str
    scores: Sequence[str]
    solver: str
    steps: int
    images: int
    seed: int
    yardstick_every: int
    shard: str
    prompts: Sequence[Prompt]
    total: int


@cache
def code_digest() -> str:
    """sha256 of the sources that decide a result."""
    total = hashlib.sha256()
    for pattern in DECIDING:
        for file in sorted(ROOT.glob(pattern)):
            total.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return total.hexdigest()[:16]


def choose_prompts(n: int, seed: int, per_task: int | None) -> list[Prompt]:
    """GenEval's prompts, or ``per_task`` of each task, evenly spaced through its list."""
    prompts = [Prompt(i, m) for i, m in enumerate(generate(n, seed))]
    if per_task is None:
        return prompts
    chosen = []
    for task in TASKS:
        mine = [p for p in prompts if p.metadata["tag"] == task]
        count = min(per_task, len(mine))
        chosen += [mine[(2 * k + 1) * len(mine) // (2 * count)] for k in range(count)]
    return chosen


def parse_shard(shard: str) -> tuple[int, int]:
    """ "0/8" -> (0, 8): this shard's number and how many there are."""
    number, _, count = shard.partition("/")
    if not (number.isdigit() and count.isdigit() and int(number) < int(count)):
        raise BenchError(f"shard must be K/N with 0 <= K < N, such as 0/8, got {shard!r}")
    return int(number), int(count)


def make_cell(settings: Mapping[str, Any]) -> Cell:
    """Validate a composed configuration. Loads no model."""
    from bench.backbones import BACKBONES
    from bench.judging import JUDGES
    from bench.rewards import REWARDS, load_reward

    with explained():
        whole("images", settings["images"], 1)
        whole("steps", settings["steps"], 1)
        whole("seed", settings["seed"], 0)
        whole("yardstick_every", settings["yardstick_every"], 1)
        at_least("backbone.guidance", settings["backbone"]["guidance"], 0)
        whole("backbone.max_batch", settings["backbone"]["max_batch"], 1)
        whole("prompts.n", settings["prompts"]["n"], 1)
        whole("prompts.seed", settings["prompts"]["seed"], 0)
        if settings["prompts"]["per_task"] is not None:
            whole("prompts.per_task", settings["prompts"]["per_task"], 1)
        one_of("backbone.kind", settings["backbone"]["kind"], list(BACKBONES))
        one_of("judge", settings["judge"], list(JUDGES))
        for name in [settings["reward"], *settings["scores"]]:
            one_of("reward", name, list(REWARDS))
        solvers = list(settings["backbone"]["solvers"])
        one_of("solver", settings["solver"], solvers)
        method = build_method(settings["method"])
        for estimator in method.estimators.values():
            if (solver := getattr(estimator, "solver", None)) is not None:
                one_of("method.efr.lookahead.solver", solver, solvers)
    reward = load_reward(settings["reward"])
    check_method(method, settings["images"], reward.differentiable, reward.name)
    number, count = parse_shard(settings["shard"])
    prompts = choose_prompts(**settings["prompts"])
    shared = ("backbone", "judge", "reward", "scores", "solver", "steps", "images", "seed", "shard")
    return Cell(
        settings=settings,
        method=method,
        yardstick_every=settings["yardstick_every"],
        prompts=prompts[number::count],
        total=len(prompts),
        **{key: settings[key] for key in shared},
    )


def identity(cell: Cell, weights: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits: a hash of what decides the result, not of where it runs."""
    keys = ("method", "backbone", "solver", "steps", "images", "seed", "reward", "prompts")
    content = {key: cell.settings[key] for key in keys}
    content |= {"scores": cell.settings["scores"], "judge": cell.settings["judge"]}
    content |= {"weights": dict(weights), "code": code_digest()}
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
