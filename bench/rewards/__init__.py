"""Rewards by name: to guide with, or to judge what others guided."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from bench.errors import explained
from methods.interfaces import Reward
from methods.settings import one_of


def _preference() -> Reward:
    from bench.miniature.preference import Preference

    return Preference.load()


def _clip() -> Reward:
    from bench.miniature.clip import MiniatureClip

    return MiniatureClip.load()


def _jpeg() -> Reward:
    from bench.rewards.jpeg import JpegCompressibility

    return JpegCompressibility()


def _quadratic() -> Reward:
    from bench.rewards.quadratic import MixtureReward

    return MixtureReward("quadratic")


def _linear() -> Reward:
    from bench.rewards.quadratic import MixtureReward

    return MixtureReward("linear")


REWARDS: dict[str, Callable[[], Reward]] = {
    "preference": _preference,
    "clip": _clip,
    "jpeg": _jpeg,
    "quadratic": _quadratic,
    "linear": _linear,
}


@cache
def load_reward(name: str) -> Reward:
    """The reward called ``name``, loaded once per process.

    BenchError for an unknown name, with the nearest, and for missing or damaged weights.
    """
    with explained():
        one_of("reward", name, list(REWARDS))
        return REWARDS[name]()
