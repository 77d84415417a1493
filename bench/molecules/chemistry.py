"""What only RDKit knows: whether a string is a molecule, its canonical form and its properties."""

from __future__ import annotations

import csv
from importlib import import_module
from pathlib import Path
from types import ModuleType

from bench.errors import BenchError
from bench.molecules.table import Molecule, Molecules


def describe(smiles: str) -> Molecule | None:
    """A string's canonical form and properties, None where RDKit reads no molecule from it.

    Rings are counted as UDLM's evaluation counts them: the symmetrised smallest set.
    """
    chem = _rdkit("Chem")
    with _rdkit("rdBase").BlockLogs():  # complaints about what is invalid
        molecule = chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        return None
    return Molecule(
        smiles=chem.MolToSmiles(molecule),
        rings=len(chem.GetSymmSSSR(molecule)),
        qed=round(_rdkit("Chem.QED").qed(molecule), 4),
        logp=round(_rdkit("Chem.Crippen").MolLogP(molecule), 3),
    )


def read_smiles_file(path: Path) -> Molecules:
    """A table from a file of SMILES: MoleculeNet's ``qm9.csv``, or plain text, one string a line.

    A csv file holds them in its column ``smiles``. Duplicates by canonical form count once.
    Raises BenchError for a file that is missing or empty, a csv without that column, or a string
    that is no molecule.
    """
    if not path.is_file():
        raise BenchError(f"the file of SMILES {path} is missing")
    with path.open(newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            reader = csv.DictReader(file)
            if "smiles" not in (reader.fieldnames or ()):
                raise BenchError(
                    f"the file {path} has no column `smiles`; it has {reader.fieldnames}"
                )
            strings = [row["smiles"] for row in reader]
        else:
            strings = [line.split()[0] for line in file if line.strip()]
    if not strings:
        raise BenchError(f"the file of SMILES {path} is empty")
    found = {}
    for string in strings:
        molecule = describe(string)
        if molecule is None:
            raise BenchError(f"the file {path} holds {string!r}, which is no molecule to RDKit")
        found[molecule.smiles] = molecule
    return Molecules.of(found.values())


def _rdkit(module: str) -> ModuleType:
    try:
        return import_module(f"rdkit.{module}")
    except ImportError:
        raise BenchError(
            "strings outside the table of molecules need RDKit, which is not installed: "
            "pip install 'guidance-bench[molecules]', in a checkout pip install -e '.[molecules]'"
        ) from None
