"""A table of molecules: canonical SMILES and the properties that rewards and judges ask for.

The built-in table holds the small molecules that ``training/molecules.py`` grows. What is in a
table needs no RDKit; of any other string RDKit says whether it is a molecule.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from bench.errors import BenchError
from bench.molecules.smiles import PAD, Vocabulary

TABLE = Path(__file__).with_name("molecules.csv.gz")


class Molecule(NamedTuple):
    """A valid string's properties; ``smiles`` is its canonical form."""

    smiles: str
    rings: int
    qed: float
    logp: float


@dataclass(frozen=True)
class Molecules:
    """Distinct molecules in the order of their canonical SMILES, and their vocabulary."""

    rows: tuple[Molecule, ...]
    vocabulary: Vocabulary
    index: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, molecules: Iterable[Molecule]) -> Molecules:
        rows = tuple(sorted(set(molecules)))
        index = {row.smiles: number for number, row in enumerate(rows)}
        return cls(rows, Vocabulary.of(index), index)

    @property
    def smiles(self) -> list[str]:
        return [row.smiles for row in self.rows]

    def describe(self, strings: Sequence[str]) -> list[Molecule | None]:
        """Each string's properties, None where it is no molecule.

        A string that the table lacks is either invalid, new, or a molecule of the table written
        in another way, which RDKit tells apart. Raises BenchError where RDKit is not installed.
        """
        return [
            self.rows[self.index[string]] if string in self.index else _outside(string)
            for string in strings
        ]

    def write(self, path: Path) -> None:
        """Write the table, the same bytes for the same molecules."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(Molecule._fields)
        for row in self.rows:
            writer.writerow([row.smiles, row.rings, f"{row.qed:.4f}", f"{row.logp:.3f}"])
        path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def read_table(path: Path = TABLE) -> Molecules:
    """Read a table that ``Molecules.write`` wrote."""
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise BenchError(f"the table of molecules {path} cannot be read: {error}") from None
    return Molecules.of(
        Molecule(r["smiles"], int(r["rings"]), float(r["qed"]), float(r["logp"])) for r in rows
    )


@cache
def built_in() -> Molecules:
    """The committed table, read once."""
    return read_table()


def _outside(string: str) -> Molecule | None:
    if not string or PAD in string:
        return None
    from bench.molecules.chemistry import describe

    return describe(string)
