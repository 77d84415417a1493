"""SMILES as strings of letters of one length: an atom in brackets is one letter, as are Cl and Br.

Strings shorter than the length end in the pad letter. A pad letter before the end is kept when
tokens are turned back into a string; as no SMILES holds it, such a string is invalid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.errors import BenchError

PAD = "_"
_LETTER = re.compile(r"\[[^\]]*\]|%\d\d|Br|Cl|.")


def split(smiles: str) -> list[str]:
    return _LETTER.findall(smiles)


@dataclass(frozen=True)
class Vocabulary:
    """K letters, the pad letter first, and the length L that all strings are padded to."""

    letters: tuple[str, ...]
    length: int

    @classmethod
    def of(cls, strings: Iterable[str]) -> Vocabulary:
        """The letters that the strings use, sorted, and the longest string's length."""
        parts = [split(string) for string in strings]
        letters = sorted({letter for part in parts for letter in part})
        return cls((PAD, *letters), max(map(len, parts)))

    def encode(self, strings: Sequence[str]) -> Tensor:
        """Token ids (N, L). Raises BenchError for a string too long or with an unknown letter."""
        ids = {letter: index for index, letter in enumerate(self.letters)}
        rows = []
        for string in strings:
            parts = split(string)
            if len(parts) > self.length:
                raise BenchError(
                    f"the string {string} has {len(parts)} letters; at most {self.length} fit"
                )
            if unknown := [part for part in parts if part not in ids]:
                raise BenchError(
                    f"the string {string} holds {unknown[0]!r}, which is none of the vocabulary's "
                    f"letters {' '.join(self.letters[1:])}"
                )
            rows.append([ids[part] for part in parts] + [0] * (self.length - len(parts)))
        return torch.tensor(rows, dtype=torch.int64).reshape(len(rows), self.length)

    def decode(self, tokens: Tensor) -> list[str]:
        """The strings of token ids (N, L), without the pad letters at their ends."""
        return ["".join(self.letters[i] for i in row).rstrip(PAD) for row in tokens.tolist()]
