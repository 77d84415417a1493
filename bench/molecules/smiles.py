"""SMILES as strings of letters of one length: an atom in brackets is one letter, as are Cl and Br.

Strings shorter than the length end in the pad letter. A pad letter before the end is kept when
tokens are turned back into a string; as no SMILES holds it, such a string is invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.errors import BenchError

PAD = "_"
_LETTER = re.compile(r"\[[^\]]*\]|%\d\d|Br|Cl|.")


def split(smiles: str) -> list[str]:
    return _LETTER.findall(smiles)


@dataclass(frozen=True)
class Vocabulary:
    """K letters, one of which pads, and the length L that all strings are padded to."""

    letters: tuple[str, ...]
    length: int
    pad: ClassVar[str] = PAD

    @classmethod
    def of(cls, strings: Iterable[str]) -> Vocabulary:
        """The pad letter and those that the strings use, sorted; the longest string's length."""
        parts = [split(string) for string in strings]
        letters = sorted({letter for part in parts for letter in part})
        return cls((PAD, *letters), max(map(len, parts)))

    def parts(self, string: str) -> list[str]:
        """The letters of a string, before it is padded."""
        return split(string)

    def encode(self, strings: Sequence[str]) -> Tensor:
        """Token ids (N, L). Raises BenchError for a string too long or with an unknown letter."""
        ids = {letter: self.letters.index(letter) for letter in self.letters}
        rows = []
        for string in strings:
            parts = self.parts(string)
            if len(parts) > self.length:
                raise BenchError(
                    f"the string {string} takes {len(parts)} tokens; at most {self.length} fit"
                )
            if unknown := [part for part in parts if part not in ids]:
                raise BenchError(
                    f"the string {string} holds {unknown[0]!r}, which is none of the vocabulary's "
                    f"letters {' '.join(self.letters)}"
                )
            parts += [self.pad] * (self.length - len(parts))
            rows.append([ids[part] for part in parts])
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), self.length)

    def decode(self, tokens: Tensor) -> list[str]:
        """The strings of token ids (N, L), without the pad letters at their ends."""
        return ["".join(self.letters[i] for i in row).rstrip(PAD) for row in tokens.tolist()]
