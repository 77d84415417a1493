"""What a string is: a molecule of the table, another molecule, or none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from bench.errors import BenchError
from bench.molecules.chemistry import describe, read_smiles_file
from bench.molecules.table import Molecule, Molecules, built_in, read_table
from methods.settings import one_of

OUTSIDE = ("invalid", "rdkit")


@dataclass(frozen=True)
class Known:
    """``outside``: what a string is that the ``table`` lacks, "invalid" where the table is all that
    there is, or to be looked at by RDKit."""

    table: Molecules
    outside: str

    def describe(self, strings: Sequence[str]) -> list[Molecule | None]:
        """Each string's properties, None where it is no molecule."""
        if self.outside == "rdkit":
            return self.table.describe(strings)
        places = (self.table.index.get(string) for string in strings)
        return [None if place is None else self.table.rows[place] for place in places]

    def lists(self, molecule: Molecule) -> bool:
        return molecule.smiles in self.table.index

    @property
    def digest(self) -> str:
        """What tells this table from others: of every molecule and its properties."""
        rows = "\n".join(map(repr, self.table.rows))
        return f"{hashlib.sha256(rows.encode()).hexdigest()[:16]}-{self.outside}"

    def values(self, name: str) -> np.ndarray:
        """A property of every molecule of the table, (N,) float64."""
        return np.array([getattr(row, name) for row in self.table.rows], dtype=float)


def check(table: str | None, outside: str) -> None:
    """Raise ValueError or BenchError for a wrong setting, or a table that is missing."""
    one_of("outside", outside, OUTSIDE)
    if table is not None and not Path(table).expanduser().is_file():
        raise BenchError(f"table={table} is no file: give a file of SMILES, or null")


@cache
def known(table: str | None, outside: str) -> Known:
    """The packaged table, one that ``training/molecules.py`` wrote, or a file of SMILES.

    Raises BenchError where RDKit will be needed and is not installed.
    """
    check(table, outside)
    if outside == "rdkit":
        describe("C")  # says what to install
    if table is None:
        return Known(built_in(), outside)
    path = Path(table).expanduser()
    return Known(read_table(path) if path.suffix == ".gz" else read_smiles_file(path), outside)
