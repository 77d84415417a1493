"""A cell: one method setting × backbone × prompts; its id hashes what decides its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.config.build import build_method, check_keys, check_method
from bench.device import check_device
from bench.errors import BenchError, explained
from bench.geneval.prompts import Metadata
from methods.method import Method
from methods.settings import at_least, one_of, whole

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
PROMPTS = ("source", "n", "seed", "per_task", "limit")
GROUPS = ("backbone", "judge", "method", "prompts", "rewards")
NEEDED = (
    "reward",
    "scores",
    "solver",
    "steps",
    "images",
    "seed",
    "shard",
    "device",
    "yardstick_every",
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
    prompts = [Prompt(i, m) for i, m in enumerate(SOURCES[source](n, seed))]
    if per_task is None:
        return prompts[:limit]
    chosen = []
    for task in dict.fromkeys(p.metadata["tag"] for p in prompts):
        mine = [p for p in prompts if p.metadata["tag"] == task]
        count = min(per_task, len(mine))
        chosen += [mine[(2 * k + 1) * len(mine) // (2 * count)] for k in range(count)]
    return chosen[:limit]


def parse_shard(shard: str) -> tuple[int, int]:
    """ "0/8" -> (0, 8): this shard's number and how many there are."""
    number, _, count = str(shard).partition("/")
    if not (number.isdigit() and count.isdigit() and int(number) < int(count)):
        raise BenchError(f"shard must be K/N with 0 <= K < N, such as 0/8, got {shard!r}")
    return int(number), int(count)


def _check_shapes(settings: Mapping[str, Any]) -> None:
    """Raise ValueError for a setting that was removed, or a group, list or device that is none."""
    for key in (*GROUPS, *NEEDED):
        if key not in settings:
            raise ValueError(f"there is no {key}, and a cell needs it: leave out ~{key}")
    groups = {key: settings[key] for key in GROUPS}
    if isinstance(settings["rewards"], Mapping):
        groups |= {f"rewards.{name}": own for name, own in settings["rewards"].items()}
    for key, value in groups.items():
        if not isinstance(value, Mapping):
            raise ValueError(f"{key} must be a group of settings, got {value!r}")
    check_keys("prompts", settings["prompts"], list(PROMPTS))
    if not isinstance(settings["reward"], str):
        raise ValueError(f"reward must be the name of one, got {settings['reward']!r}")
    scores = settings["scores"]
    if not isinstance(scores, list) or not all(isinstance(name, str) for name in scores):
        raise ValueError(f"scores must be a list of rewards, such as [clip,jpeg], got {scores!r}")
    check_device("device", settings["device"])
    check_device("judge.device", settings["judge"].get("device", "auto"))


def _check_weights(settings: Mapping[str, Any]) -> None:
    """Raise ValueError where a ``weights`` for backbone, rewards and judge is read by none."""
    given = settings.get("weights")
    readers = [settings["backbone"], settings["judge"], *settings["rewards"].values()]
    if given is not None and given not in [part.get("weights") for part in readers]:
        raise ValueError(
            f"weights={given} changes nothing: backbone {settings['backbone']['name']}, its "
            "rewards and judge take no such weights; choose another backbone, such as sd15"
        )


def _check_ranges(settings: Mapping[str, Any]) -> None:
    """Raise ValueError for the first number out of range or unknown name."""
    from bench.backbones import BACKBONES
    from bench.judge.judges import NONE, TRUTH, check_judge
    from bench.rewards import parsed

    for key in ("images", "steps", "yardstick_every"):
        whole(key, settings[key], 1)
    whole("seed", settings["seed"], 0)
    if settings.get("target_scale") is not None:
        at_least("target_scale", settings["target_scale"], 0)
    backbone, prompts = settings["backbone"], settings["prompts"]
    one_of("backbone.kind", backbone["kind"], list(BACKBONES))
    BACKBONES[backbone["kind"]].check(backbone)
    one_of("prompts.source", prompts["source"], list(SOURCES))
    whole("prompts.n", prompts["n"], 1)
    whole("prompts.seed", prompts["seed"], 0)
    for key in ("per_task", "limit"):
        if prompts[key] is not None:
            whole(f"prompts.{key}", prompts[key], 1)
    check_judge(settings["judge"])
    judge = settings["judge"]["kind"]
    rewards_used(settings)
    one_of("solver", settings["solver"], list(backbone["solvers"]))
    points = backbone["kind"] == "mixture"
    if (prompts["source"] == "mixture") != points or (judge == TRUTH) != points:
        raise ValueError(
            "backbone=mixture, prompts.source=mixture and judge=truth go together, got "
            f"{backbone['name']}, {prompts['source']} and {judge}"
        )
    if judge == "miniature" != backbone["kind"]:
        raise ValueError(f"judge=miniature with {backbone['name']}: choose mask2former or none")
    for name in [settings["reward"], *settings["scores"]]:
        if parsed(name, settings["rewards"])[0].points != points:
            what = "points" if points else "pictures"
            raise ValueError(f"reward {name} does not score the {what} of {backbone['name']}")
        if points and settings["rewards"][name]["kind"] != name:
            raise ValueError(f"rewards.{name}: the mixture's rewards are named after their kind")
    if judge != NONE:
        one_of("scores: the guiding reward", settings["reward"], list(settings["scores"]))


def _check_lookahead(method: Method, backbone: Mapping[str, Any], guided: bool) -> None:
    from bench.backbones.settings import check_steps

    for name, estimator in method.estimators.items():
        if (solver := getattr(estimator, "solver", None)) is not None:
            one_of(f"method.efr.{name}.solver", solver, list(backbone["solvers"]))
            where = f"method.efr.{name}.steps with solver={solver}"
            check_steps(where, getattr(estimator, "steps", 0), backbone["solvers"][solver])
        guided = guided and backbone.get("guidance") is not None
        if getattr(estimator, "cfg", None) is not None and not guided:
            raise ValueError(
                f"method.efr.{name}.cfg must be null: {backbone['name']} has no guidance weight"
            )


def rewards_used(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the rewards that guide, score or measure diversity, and of what they mix."""
    from bench.judge.judges import names_used
    from bench.rewards import used

    return used(names_used(settings), settings["rewards"])


def make_cell(settings: Mapping[str, Any]) -> Cell:
    """Validate a composed configuration. Loads no model."""
    from bench.backbones import BACKBONES
    from bench.backbones.settings import check_steps, is_stochastic
    from bench.judge.judges import NONE
    from bench.rewards import differentiable, parsed

    with explained():
        _check_shapes(settings)
        _check_ranges(settings)
        _check_weights(settings)
        kind = BACKBONES[settings["backbone"]["kind"]]
        method = build_method(settings["method"])
        _check_lookahead(method, settings["backbone"], kind.guided)
        target = settings["backbone"]["solvers"][settings["solver"]]
        steps = settings["steps"] * method.steps_factor
        check_steps(f"steps with solver={settings['solver']}", steps, target)
    reward, rewards = settings["reward"], settings["rewards"]
    offered = {
        "stochastic" if is_stochastic(target) else "deterministic": True,
        "ancestral": "eta" in target,
        "derivative": differentiable(reward, rewards),
        "analytic": kind.analytic and parsed(reward, rewards)[0].points,
    }
    check_method(method, [word for word, holds in offered.items() if holds], settings["images"])
    number, count = parse_shard(settings["shard"])
    prompts = choose_prompts(**settings["prompts"])
    shared = ("backbone", "judge", "reward", "solver", "steps", "images", "seed", "shard", "device")
    return Cell(
        settings=settings,
        method=method,
        scores=settings["scores"] if settings["judge"]["kind"] != NONE else (),
        yardstick_every=settings["yardstick_every"],
        prompts=prompts[number::count],
        total=len(prompts),
        **{key: settings[key] for key in shared},
    )


def deciding(settings: Mapping[str, Any], weights: Mapping[str, str], code: str) -> dict[str, Any]:
    """What of a cell's settings decides its result, not where it runs or what is timed."""
    keys = ("method", "backbone", "solver", "steps", "images", "seed", "reward", "prompts")
    content = {key: settings[key] for key in keys}
    judged = settings["judge"]["kind"] != "none"
    content["scores"] = list(settings["scores"]) if judged else []
    content["target_scale"] = settings.get("target_scale")
    content["judge"] = {k: v for k, v in settings["judge"].items() if k not in WHERE}
    content["rewards"] = rewards_used(settings)
    return content | {"weights": dict(weights), "code": code}


def identity(cell: Cell, weights: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits: a hash of ``deciding``."""
    text = json.dumps(deciding(cell.settings, weights, code_digest()), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
