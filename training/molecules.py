"""The table of small molecules: grown atom by atom, filtered, written with its properties.

Growth starts at single atoms of C, N, O and F and repeats two moves up to ``ATOMS`` heavy atoms:
bond a new atom to one that still bears hydrogens, and close a ring between two that do. Valence
decides what is allowed; whatever contains a group of ``UNSTABLE`` is dropped as soon as it appears
and is not grown on. No order and no random number enters, so that one release of RDKit always
writes the same table.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from rdkit import Chem

from bench.molecules.chemistry import describe
from bench.molecules.table import TABLE, Molecules

ATOMS = 7
VALENCE = {"C": 4, "N": 3, "O": 2, "F": 1}
BONDS = {1: Chem.BondType.SINGLE, 2: Chem.BondType.DOUBLE, 3: Chem.BondType.TRIPLE}

# Groups that fall apart, that react with their like, or that strain a ring beyond what it bears.
UNSTABLE = [
    "O-O",
    "F~[!#6]",
    "FC-[N,O]",
    "FC=[C,N,O]",
    "FC#*",
    "[NX3]-[N,O]",
    "N=[N,O]",
    "N=C-[O,F]",
    "[N,O]~[N,O]~[N,O]",
    "[N,O;!H0]-[CX4]-[N,O]",
    "[CX3;!$(C-N)]=[N;!$(N-O)]",
    "[OH,NH,NH2]-C=C",
    "[CH]=O.[NH,NH2]",
    "O=C-C=O",
    "C#C-[N,O]",
    "C#C-C#*",
    "*=*=*",
    "o:o",
    "n:n:n:n",
    "[a;r3,r4]",
    "[a;x3]",
    "[r]#*",
    "[x3,x4]=*",
    "C1=CC=C1",
    "C1=CC1=*",
    "[N,O]1C=C1",
    "[x4;!R2]",
    "[x3]1@[x3]@[x3]@1",
    "[x3]1@[x3]@[x3]@[x3]@1",
]
PATTERNS = [Chem.MolFromSmarts(smarts) for smarts in UNSTABLE]


def grow(atoms: int = ATOMS) -> list[str]:
    """Canonical SMILES of every molecule of at most ``atoms`` heavy atoms, sorted."""
    known = set(VALENCE)
    frontier = sorted(known)
    while frontier:
        fresh = {smiles for parent in frontier for smiles in _larger(parent, atoms)} - known
        known |= fresh
        frontier = sorted(fresh)
    return sorted(known)


def _larger(smiles: str, atoms: int) -> Iterator[str]:
    """Canonical SMILES of the molecules that are one atom or one ring closure away."""
    molecule = Chem.MolFromSmiles(smiles)
    Chem.Kekulize(molecule, clearAromaticFlags=True)
    for atom in molecule.GetAtoms():  # the hydrogen of [nH] is implied, as all others are
        atom.SetNoImplicit(False)
        atom.SetNumExplicitHs(0)
    free = [atom.GetTotalNumHs() for atom in molecule.GetAtoms()]
    ranks = list(Chem.CanonicalRankAtoms(molecule, breakTies=False))
    for index, hydrogens in enumerate(free):
        if len(free) < atoms and ranks.index(ranks[index]) == index:  # one of equivalent atoms
            for element, valence in VALENCE.items():
                for order in range(1, min(hydrogens, valence, 3) + 1):
                    grown = Chem.RWMol(molecule)
                    grown.AddBond(index, grown.AddAtom(Chem.Atom(element)), BONDS[order])
                    yield from _stable(grown)
        for other in range(index):
            if molecule.GetBondBetweenAtoms(index, other) is None:
                for order in range(1, min(hydrogens, free[other], 2) + 1):
                    closed = Chem.RWMol(molecule)
                    closed.AddBond(index, other, BONDS[order])
                    yield from _stable(closed)


def _stable(molecule: Chem.RWMol) -> Iterator[str]:
    """The molecule's canonical SMILES, or nothing where it holds an unstable group."""
    Chem.SanitizeMol(molecule)
    if not any(molecule.HasSubstructMatch(pattern) for pattern in PATTERNS):
        yield Chem.MolToSmiles(molecule)


def train(folder: Path, _: Path) -> None:
    """Write the table into the package."""
    began = time.monotonic()
    table = Molecules.of(m for smiles in grow() if (m := describe(smiles)))
    table.write(TABLE)
    seconds = time.monotonic() - began
    print(f"{len(table.rows)} molecules in {seconds:.0f} s, {TABLE.stat().st_size} bytes")
