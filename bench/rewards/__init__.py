"""Rewards by name: to guide with, or to judge what others guided.

A configuration's ``rewards`` maps names to settings, each with its ``kind``, or with the
``_target_`` of a reward from outside the package. Everything but ``load_reward`` is known without
loading a weight, but for whether a reward from outside that does not say so is differentiable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from bench.errors import explained
from bench.outside import TARGET
from bench.rewards.aesthetic import AestheticReward, AestheticSettings
from bench.rewards.cosine import CosineReward
from bench.rewards.imagereward import ImageReward
from bench.rewards.mix import Mix, MixSettings
from bench.rewards.pretrained import Pretrained
from bench.settings import check_group
from bench.settings import settings as build_settings
from methods.interfaces import Reward
from methods.settings import one_of

if TYPE_CHECKING:
    import torch

Settings = Mapping[str, Any]
Rewards = Mapping[str, Settings]


class LoadedReward(Reward, Protocol):
    """A reward with what the harness records beside its scores."""

    def digest(self) -> str:
        """What tells its weights from others: repo@revision, a content hash, or a name."""

    def cut(self, prompt: str) -> int:
        """How many tokens of the prompt lie beyond what it reads; 0 where there is no limit."""


Part = Callable[[str], LoadedReward]


@dataclass(frozen=True)
class NoSettings:
    """Of kinds that have none."""


@dataclass(frozen=True)
class MoleculeSettings:
    """A ``table`` of molecules, None for the packaged one; ``outside``: what a string is that it
    does not list, "invalid", or to be looked at by RDKit ("rdkit")."""

    table: str | None = None
    outside: str = "invalid"

    def __post_init__(self) -> None:
        one_of("outside", self.outside, ("invalid", "rdkit"))


@dataclass(frozen=True)
class RewardKind:
    """How a kind of reward checks its settings and is loaded.

    ``settings``: a dataclass that raises ValueError. ``load``: from an instance of it, the device,
    and a function to load other rewards of the configuration by name. ``differentiable``: of a
    mixture's parts all must be. ``world``: what it scores, as in ``bench.config.model.WORLDS``.
    """

    load: Callable[[Any, torch.device, Part], LoadedReward]
    settings: type = NoSettings
    differentiable: bool = True
    world: str = "pictures"


def _preference(given: NoSettings, device: torch.device, part: Part) -> LoadedReward:
    from bench.miniature.preference import Preference

    return Preference.load().to(device)


def _taste(given: NoSettings, device: torch.device, part: Part) -> LoadedReward:
    from bench.miniature.taste import Taste

    return Taste.load().to(device)


def _miniature_clip(given: NoSettings, device: torch.device, part: Part) -> LoadedReward:
    from bench.miniature.clip import MiniatureClip

    return MiniatureClip.load().to(device)


def _jpeg(given: NoSettings, device: torch.device, part: Part) -> LoadedReward:
    from bench.rewards.jpeg import JpegCompressibility

    return JpegCompressibility()


def _mixture(form: str) -> RewardKind:
    def load(given: NoSettings, device: torch.device, part: Part) -> LoadedReward:
        from bench.mixture.reward import MixtureReward

        return MixtureReward(form)

    return RewardKind(load, world="points")


def _molecules(form: str) -> RewardKind:
    def load(given: MoleculeSettings, device: torch.device, part: Part) -> LoadedReward:
        from bench.molecules.known import known
        from bench.molecules.reward import MoleculeReward

        return MoleculeReward(form, known(given.table, given.outside))

    return RewardKind(load, MoleculeSettings, differentiable=False, world="molecules")


def _strings(form: str) -> RewardKind:
    def load(given: NoSettings, device: torch.device, part: Part) -> LoadedReward:
        from bench.tokens.reward import StringsReward

        return StringsReward(form)

    return RewardKind(load, differentiable=False, world="strings")


def _cosine(kind: str) -> RewardKind:
    def load(given: Pretrained, device: torch.device, part: Part) -> LoadedReward:
        return CosineReward.load(kind, given, device)

    return RewardKind(load, Pretrained)


def _mix(given: MixSettings, device: torch.device, part: Part) -> LoadedReward:
    return Mix({name: (weight, part(name)) for name, weight in given.of.items()})


KINDS: dict[str, RewardKind] = {
    "preference": RewardKind(_preference),
    "taste": RewardKind(_taste),
    "miniature_clip": RewardKind(_miniature_clip),
    "jpeg": RewardKind(_jpeg, differentiable=False),
    "quadratic": _mixture("quadratic"),
    "linear": _mixture("linear"),
    "rings": _molecules("rings"),
    "qed": _molecules("qed"),
    "table": _strings("table"),
    "additive": _strings("additive"),
    "imagereward": RewardKind(lambda g, device, part: ImageReward.load(g, device), Pretrained),
    "clip": _cosine("clip"),
    "hps": _cosine("hps"),
    "pickscore": _cosine("pickscore"),
    "aesthetic": RewardKind(
        lambda g, device, part: AestheticReward.load(g, device), AestheticSettings
    ),
    "mix": RewardKind(_mix, MixSettings),
}


def _outside(name: str, given: Settings) -> RewardKind:
    from bench.rewards.outside import check, make

    where = f"rewards.{name}"
    check(given, where)
    return RewardKind(lambda given, device, part: make(given, where, device))


def parsed(name: str, rewards: Rewards) -> tuple[RewardKind, Any]:
    """The kind of the reward called ``name`` and its settings. ValueError names the wrong key."""
    one_of("reward", name, list(rewards))
    given = rewards[name] or {}
    check_group(f"rewards.{name}", given)
    if TARGET in given:
        return _outside(name, given), given
    if "kind" not in given:
        raise ValueError(f"rewards.{name} has no kind: choose from {', '.join(KINDS)}")
    one_of(f"rewards.{name}.kind", given["kind"], list(KINDS))
    own = {key: value for key, value in given.items() if key != "kind"}
    content = json.dumps(own, sort_keys=True)
    return KINDS[given["kind"]], _own(given["kind"], content, f"rewards.{name}")


@lru_cache(maxsize=256)  # a cell's rewards are looked up many times while it is checked
def _own(kind: str, content: str, where: str) -> Any:
    return build_settings(KINDS[kind].settings, json.loads(content), where)


def used(names: Iterable[str], rewards: Rewards) -> dict[str, Settings]:
    """The settings of ``names`` and of all that they are mixed of, each of them checked.

    Raises ValueError for an unknown name, for settings that are wrong, and for a mix of itself.
    """
    found: dict[str, Settings] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            circle = " -> ".join([*above[above.index(name) :], name])
            raise ValueError(f"rewards.{name} is mixed of itself: {circle}")
        settings = parsed(name, rewards)[1]
        found[name] = rewards[name]
        for part in settings.of if isinstance(settings, MixSettings) else ():
            one_of(f"rewards.{name}.of", part, list(rewards))
            visit(part, (*above, name))
            if (world := parsed(part, rewards)[0].world) != "pictures":
                raise ValueError(f"rewards.{name}.of: {part} scores {world}, a mix pictures")

    for name in names:
        visit(name, ())
    return found


def differentiable(name: str, rewards: Rewards) -> bool:
    """Whether the reward has a derivative: all that it is mixed of must."""
    from bench.rewards.outside import stated

    for part, given in used([name], rewards).items():
        if TARGET not in given:
            has = KINDS[given["kind"]].differentiable
        elif (said := stated(given, f"rewards.{part}")) is not None:
            has = said
        else:
            has = load_reward(part, rewards).differentiable
        if not has:
            return False
    return True


def load_reward(name: str, rewards: Rewards, device: torch.device | str = "cpu") -> LoadedReward:
    """The reward called ``name`` of a configuration's ``rewards``, on ``device``.

    Loaded once per process for the same settings and device. Raises BenchError for an unknown
    name, with the nearest, for wrong settings, and for missing or damaged weights.
    """
    with explained():
        content = json.dumps(used([name], rewards), sort_keys=True)
        return _load(name, content, str(device))


@cache
def _load(name: str, content: str, device: str) -> LoadedReward:
    import torch

    rewards: Rewards = json.loads(content)
    kind, settings = parsed(name, rewards)
    place = torch.device(device)
    reward = kind.load(settings, place, lambda part: load_reward(part, rewards, place))
    reward.name = name
    return reward
