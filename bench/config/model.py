"""The settings of a cell: their types, their ranges, and what does not fit together.

A group's own settings are declared where the group is at home: ``bench.backbones``,
``bench.judge``, ``bench.prompts``, ``bench.rewards``, ``methods``. All are checked here, before a
model is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.backbones import BACKBONES
from bench.backbones.settings import check_steps
from bench.config.build import build_method, check_method, offered
from bench.device import check_device
from bench.errors import BenchError
from bench.judge.judges import NONE, check_judge, names_used
from bench.miniature.pipeline import PACKAGED
from bench.outside import OUTSIDE
from bench.prompts.sources import check_source
from bench.rewards import differentiable, parsed, used
from bench.settings import between, check_group, settings
from methods.method import Method
from methods.settings import at_least, one_of, whole

PICTURES = "pictures"
# What a backbone makes, beside pictures: the source of prompts and the judge that go with it.
WORLDS = {
    "points": ("mixture", "truth"),
    "molecules": ("molecules", "molecules"),
    "strings": ("strings", "truth"),
}
# Far more than anybody samples, and little enough to be refused for a slip of the keyboard.
MOST_IMAGES, MOST_STEPS = 10_000, 100_000


@dataclass(frozen=True)
class CellSettings:
    """A cell's settings as conf/config.yaml and its backbone compose them.

    ``weights``, ``lookahead`` and ``student`` are read by other settings alone; ``sources`` are the
    digests of what comes from outside the package.
    """

    backbone: dict[str, Any]
    judge: dict[str, Any]
    method: dict[str, Any]
    prompts: dict[str, Any]
    rewards: dict[str, Any]
    reward: str
    scores: list[str]
    solver: str
    steps: int
    images: int
    seed: int
    shard: Any
    device: Any
    yardstick_every: int
    cache_gb: float = 0
    target_scale: float | None = None
    weights: str | None = None
    lookahead: Any = None
    student: str | None = None
    sources: Any = None

    def __post_init__(self) -> None:
        between("images", self.images, 1, MOST_IMAGES)
        between("steps", self.steps, 1, MOST_STEPS)
        whole("yardstick_every", self.yardstick_every, 1)
        whole("seed", self.seed, 0)
        at_least("cache_gb", self.cache_gb, 0)
        if self.target_scale is not None:
            at_least("target_scale", self.target_scale, 0)
        check_device("device", self.device)
        parse_shard(self.shard)


def parse_shard(shard: Any) -> tuple[int, int]:
    """ "0/8" -> (0, 8): this shard's number and how many there are."""
    number, _, count = str(shard).partition("/")
    if not (number.isdigit() and count.isdigit() and int(number) < int(count)):
        raise BenchError(f"shard must be K/N with 0 <= K < N, such as 0/8, got {shard!r}")
    return int(number), int(count)


def checked(given: Mapping[str, Any]) -> tuple[CellSettings, Method]:
    """A cell's settings and its method. Raises ValueError or BenchError for the first setting that
    is wrong, or does not fit the others."""
    cell = settings(CellSettings, given, "")
    backbone, judge = given["backbone"], given["judge"]
    check_source(given["prompts"])
    _check_kind("backbone", backbone, list(BACKBONES))
    kind = BACKBONES[backbone["kind"]]
    kind.check(backbone)
    check_judge(judge)
    for name, options in given["rewards"].items():
        check_group(f"rewards.{name}", options)
    used(names_used(given), given["rewards"])
    _check_world(cell)
    _check_weights(cell)
    method = build_method(given["method"])
    one_of("solver", cell.solver, list(backbone["solvers"]))
    check_steps("steps", cell.steps * method.steps_factor, cell.solver, backbone)
    _check_solvers(method, backbone, kind.guided)
    derivative = differentiable(cell.reward, given["rewards"])
    check_method(method, offered(backbone, cell.solver, derivative), cell.images)
    return cell, method


def _check_kind(where: str, given: Mapping[str, Any], known: list[str]) -> None:
    for key in ("name", "kind"):
        if not isinstance(given.get(key), str):
            raise BenchError(f"{where}.{key} must be text, got {given.get(key)!r}")
    one_of(f"{where}.kind", given["kind"], known)


def _check_world(cell: CellSettings) -> None:
    """Raise ValueError where backbone, prompts, judge and rewards are not of one world."""
    name, kind = cell.backbone["name"], cell.backbone["kind"]
    judge, source = cell.judge["kind"], cell.prompts["source"]
    world = BACKBONES[kind].world
    if world in WORLDS and (source, judge) != WORLDS[world]:
        raise ValueError(
            "backbone={}, prompts.source={} and judge={} go together, ".format(name, *WORLDS[world])
            + f"got {source} and {judge}"
        )
    for word in (source, judge):
        if world not in WORLDS and any(word in names for names in WORLDS.values()):
            raise ValueError(f"{word} goes with another backbone than {name}")
    if judge == "miniature" and kind not in (*PACKAGED, OUTSIDE):
        raise ValueError(f"judge=miniature with {name}: choose mask2former or none")
    for reward in [cell.reward, *cell.scores]:
        if parsed(reward, cell.rewards)[0].world != world:
            raise ValueError(f"reward {reward} does not score the {world} of {name}")
        if world != PICTURES and cell.rewards[reward]["kind"] != reward:
            raise ValueError(f"rewards.{reward}: the rewards of {name} are named after their kind")
    if judge != NONE and cell.reward not in cell.scores:
        raise ValueError(
            f"scores must hold the guiding reward {cell.reward}, got {cell.scores}; with "
            "judge=none there may be none"
        )


def _check_weights(cell: CellSettings) -> None:
    """Raise ValueError where a ``weights`` for backbone, rewards and judge is read by none."""
    readers = [cell.backbone, cell.judge, *cell.rewards.values()]
    read = [part.get("weights") for part in readers]
    if cell.weights not in (None, "pretrained", *read):
        raise ValueError(
            f"weights={cell.weights} changes nothing: backbone {cell.backbone['name']}, its "
            "rewards and judge take no such weights; choose another backbone, such as sd15"
        )


def _check_solvers(method: Method, backbone: Mapping[str, Any], guided: bool) -> None:
    """Raise ValueError where a part's own solver, steps or guidance do not fit."""
    guided = guided and backbone.get("guidance") is not None
    for where, part in method.parts():
        if (solver := getattr(part, "solver", None)) is not None:
            one_of(f"{where}.solver", solver, list(backbone["solvers"]))
            check_steps(f"{where}.steps", getattr(part, "steps", 1), solver, backbone)
        if getattr(part, "cfg", None) is not None and not guided:
            raise ValueError(f"{where}.cfg must be null: {backbone['name']} has no guidance weight")
