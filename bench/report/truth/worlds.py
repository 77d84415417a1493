"""The worlds where the target is known, and how a report speaks of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """``kind`` of backbone. ``distances``: name in a record -> heading, the main one first.
    ``size``: the backbone's setting that says how large a problem is, counted in ``unit``.
    ``mark``: at the end of the names of its files. ``floor``, ``spread``: what is measured."""

    kind: str
    distances: Mapping[str, str]
    size: str
    unit: str
    mark: str
    about: str
    floor: str
    spread: str

    @property
    def main(self) -> str:
        """The distance that methods are ordered by."""
        return next(iter(self.distances))


MIXTURE = World(
    kind="mixture",
    distances={"w2": "W2", "mmd": "MMD", "modes": "modes"},
    size="dimension",
    unit="dimensions",
    mark="",
    about="Gaussian mixtures with a closed-form reward: posterior mean, expected future reward and "
    "tilted target are exact, so nothing here rests on a judge.",
    floor="the mean distance between two exact sets of the same size; modes is the total variation "
    "between the shares of samples in each component and the target's, an arithmetic mean",
    spread="mean squared distance",
)
STRINGS = World(
    kind="strings",
    distances={"tv": "TV", "letters": "TV of letters"},
    size="length",
    unit="tokens",
    mark="_strings",
    about="Strings of a few letters, all of them enumerated: posterior, expected future reward and "
    "tilted target are exact sums. Half of the problems have a prior of independent tokens, half "
    "one that weighs every string by itself; the reward table has a random reward of every "
    "string, additive a sum over its tokens.",
    floor="the mean distance between the target and exact sets of the same size; TV is of the "
    "histogram of strings, TV of letters of the letters at each place",
    spread="mean number of tokens that differ",
)
WORLDS = (MIXTURE, STRINGS)
