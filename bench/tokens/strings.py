"""backbone=strings: all strings of a few letters, each prompt with a prior of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.settings import between, settings
from bench.tokens.backbone import TableBackbone, TableCondition
from bench.tokens.problems import every, prior

MOST = 65_536  # strings in all
SOLVERS = {"ancestral": {"stochastic": True}}


class StringsBackbone(TableBackbone):
    """``length`` L tokens of K = ``letters``."""

    def __init__(self, length: int, letters: int):
        super().__init__(every(length, letters))

    def encode(
        self, prompt: str, guidance: float | None = None, known: Any = None
    ) -> TableCondition:
        super().encode(prompt, guidance)
        return TableCondition(prior(prompt, *self.latent_shape))


@dataclass(frozen=True)
class StringsSettings:
    """As in conf/backbone/strings.yaml."""

    name: str
    kind: str
    length: int
    letters: int
    solvers: dict[str, Any]

    def __post_init__(self) -> None:
        between("length", self.length, 1, 16)
        between("letters", self.letters, 2, 64)
        if (count := self.letters**self.length) > MOST:
            raise ValueError(
                f"letters to the power of length must be at most {MOST} strings, got {count}"
            )
        if self.solvers != SOLVERS:
            raise ValueError(f"solvers must be {SOLVERS}: tokens have one solver")


def check(given: Mapping[str, Any]) -> StringsSettings:
    """Raise BenchError where a setting is out of range."""
    return settings(StringsSettings, given, "backbone")


def load(given: Mapping[str, Any]) -> tuple[Any, str]:
    """The backbone and the digest of what it is made of."""
    own = check(given)
    return StringsBackbone(own.length, own.letters), f"strings-{own.length}-{own.letters}"
