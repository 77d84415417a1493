"""What only RDKit knows: whether a string is a molecule, its canonical form and its properties."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from bench.errors import BenchError
from bench.tokens.molecules import Molecule


@cache
def chemistry() -> ModuleType:
    """RDKit's Chem, its complaints about invalid strings silenced. Raises BenchError without it."""
    try:
        from rdkit import Chem, RDLogger
    except ImportError:
        raise BenchError(
            "a string outside the table of molecules needs RDKit, which is not installed: "
            "pip install 'guidance-bench[molecules]', or from a checkout pip install -e "
            "'.[molecules]'"
        ) from None
    RDLogger.DisableLog("rdApp.*")
    return Chem


def describe(smiles: str) -> Molecule | None:
    """A string's canonical form and properties, None where RDKit reads no molecule from it.

    Rings are counted as UDLM's evaluation counts them: the symmetrised smallest set.
    """
    chem = chemistry()
    molecule = chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        return None
    from rdkit.Chem import QED, Crippen

    rings = len(chem.GetSymmSSSR(molecule))
    canonical = chem.MolToSmiles(molecule)
    return Molecule(canonical, rings, QED.qed(molecule), Crippen.MolLogP(molecule))
