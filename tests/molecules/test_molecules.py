"""The table of molecules, its strings as tokens, and what only RDKit can say of others."""

import sys

import pytest
import torch

from bench.errors import BenchError
from bench.molecules.chemistry import describe, read_smiles_file
from bench.molecules.smiles import Vocabulary, split
from bench.molecules.table import Molecule, Molecules, built_in, read_table


@pytest.fixture
def without_rdkit(monkeypatch):
    for name in [*sys.modules, "rdkit"]:
        if name.split(".")[0] == "rdkit":
            monkeypatch.setitem(sys.modules, name, None)


def test_the_whole_table_comes_back_from_its_tokens():
    table = built_in()
    tokens = table.vocabulary.encode(table.smiles)
    assert tokens.shape == (17_658, 16) and tokens.dtype == torch.int64
    assert len(table.vocabulary.letters) == 16
    assert table.vocabulary.decode(tokens) == table.smiles


def test_an_atom_in_brackets_is_one_letter_as_are_two_letter_elements_and_ring_numbers():
    assert split("[nH]1cccc1Cl%12[O-]") == ["[nH]", *"1cccc1", "Cl", "%12", "[O-]"]


def test_a_pad_inside_a_string_stays_and_makes_it_invalid(without_rdkit):
    table = built_in()
    tokens = table.vocabulary.encode(["CCO"])
    tokens[0, 1] = 0
    assert table.vocabulary.decode(tokens) == ["C_O"]
    assert table.describe(["C_O", "", "OCC_"]) == [None] * 3


def test_strings_that_do_not_fit_the_vocabulary_are_refused():
    vocabulary = Vocabulary.of(["CCO", "C"])
    assert vocabulary == Vocabulary(("_", "C", "O"), 3)
    with pytest.raises(BenchError, match=r"string CN holds 'N', which is none of .* _ C O$"):
        vocabulary.encode(["CN"])
    with pytest.raises(BenchError, match="string CCCC takes 4 tokens; at most 3 fit"):
        vocabulary.encode(["CCCC"])


def test_the_table_needs_no_rdkit_and_other_strings_say_what_to_install(without_rdkit):
    assert built_in().describe(["C1CC1"]) == [Molecule("C1CC1", 1, 0.3814, 1.17)]
    with pytest.raises(BenchError, match=r"pip install 'guidance-bench\[molecules\]'"):
        built_in().describe(["OCC"])


def test_a_table_is_written_byte_for_byte_and_read_again(tmp_path):
    table = Molecules.of(built_in().rows[:50])
    files = [tmp_path / name for name in ("a.csv.gz", "b.csv.gz")]
    for file in files:
        table.write(file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert read_table(files[0]) == table
    files[0].write_bytes(b"smiles,rings")
    with pytest.raises(BenchError, match="cannot be read"):
        read_table(files[0])


def test_strings_outside_the_table_are_judged_by_rdkit():
    pytest.importorskip("rdkit")
    strings = ["OCC", "CCCCCCCC", "C(C)(C)(C)(C)C", "C1CC"]
    same, new, invalid, open_ring = built_in().describe(strings)
    assert same == built_in().describe(["CCO"])[0]
    assert new is not None and new.smiles not in built_in().index
    assert invalid is None and open_ring is None


def test_the_properties_of_the_table_are_those_of_rdkit():
    pytest.importorskip("rdkit")
    for row in built_in().rows[::400]:
        assert describe(row.smiles) == row


def test_the_table_is_what_growth_gives():
    pytest.importorskip("rdkit")
    from training.molecules import grow

    atoms = "CNOFcno"
    small = [s for s in built_in().smiles if sum(s.count(atom) for atom in atoms) <= 4]
    assert grow(4) == small and len(small) > 100


def test_a_file_of_smiles_gives_a_table_of_its_own(tmp_path):
    pytest.importorskip("rdkit")
    (tmp_path / "qm9.csv").write_text("mol_id,smiles\n1,[H]C([H])([H])[H]\n2,OCC\n3,C(C)O\n")
    (tmp_path / "plain.smi").write_text("C gdb_1\nOCC gdb_2\n\n")
    tables = [read_smiles_file(tmp_path / name) for name in ("qm9.csv", "plain.smi")]
    assert tables[0] == tables[1] and tables[0].smiles == ["C", "CCO"]
    assert tables[0].vocabulary.letters == ("_", "C", "O")


def test_a_file_of_smiles_that_cannot_serve_is_refused(tmp_path):
    pytest.importorskip("rdkit")
    for text, complaint in {
        "name,formula\na,CH4\n": "no column `smiles`; it has .'name', 'formula'",
        "smiles\n": "is empty",
        "smiles\nCCO\nC1CC\n": "holds 'C1CC', which is no molecule",
    }.items():
        (tmp_path / "file.csv").write_text(text)
        with pytest.raises(BenchError, match=complaint):
            read_smiles_file(tmp_path / "file.csv")
    with pytest.raises(BenchError, match=r"none\.csv is missing"):
        read_smiles_file(tmp_path / "none.csv")
