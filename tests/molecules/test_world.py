"""backbone=molecules as the harness runs it: settings, prior, rewards, judge, records, report."""

import importlib.util

import numpy as np
import pytest
import torch
from rich.console import Console

from bench.backbones import load_backbone
from bench.config.cell import make_cell
from bench.config.compose import cell_settings, groups
from bench.errors import BenchError
from bench.molecules.judge import reference, tilted, total_variation
from bench.molecules.known import Known, known
from bench.molecules.reward import MoleculeReward
from bench.molecules.table import Molecules
from bench.molecules.text import from_codes, to_codes
from bench.report.build import build
from bench.rewards import load_reward
from bench.run.cells import run_cells
from bench.store.folder import read_records
from methods.kernel import token_level
from tests.small import GUIDERS, STUDENTS, shrunk

SMALL = ("prompts.n=2", "images=8", "steps=4", "yardstick_every=99")
REFUSED = {"ug", "ug_full", "lgd", "tfg", "date", "dno", "das", "rollout_glass"}
REFUSED |= {"noise_search", "draft_best_of_n", "demon", "evosearch", "sop"}


def settings(*own):
    return cell_settings(["backbone=molecules", *own], [])


@pytest.fixture(scope="module")
def prior():
    return load_backbone(settings()["backbone"])[0]


def test_codes_are_the_strings_text():
    strings = ["C", "", "C[nH]1", "C1CC1"]
    codes = to_codes(strings, 8)
    assert codes.shape == (4, 8) and codes.dtype == torch.uint8
    assert from_codes(codes) == strings


@pytest.mark.parametrize("method", sorted(set(groups()["method"]) - {"pair"}))
def test_every_method_runs_on_molecules_or_is_refused_with_a_reason(method):
    given = settings(f"method={method}")
    if method in REFUSED or method == "sparse_repellency":
        with pytest.raises(BenchError, match="continuous latents: a string of tokens has no"):
            make_cell(given)
        return
    if method in STUDENTS:
        with pytest.raises(BenchError, match="must name the solver of a distilled denoiser"):
            make_cell(given)
        return
    if method in GUIDERS:
        with pytest.raises(BenchError, match=r"needs a (UNet under|flow-matching)"):
            make_cell(given)
        return
    if method == "probe":
        with pytest.raises(BenchError, match="continuous latents"):
            make_cell(settings("method=probe", "efr@method.efr=[exact,tweedie]"))
        return
    assert make_cell(given).method.name == method


def test_other_prompts_rewards_and_judges_do_not_go_with_molecules():
    for own, message in (
        (["judge=miniature"], "go together, got molecules and miniature"),
        (["prompts=geneval"], "go together, got geneval and molecules"),
        (["backbone.outside=guess"], "outside must be one of invalid, rdkit"),
        (["backbone.table=nowhere.csv"], "table=nowhere.csv is no file"),
        (["backbone.solvers.ancestral.stochastic=false"], "must be {stochastic: true}"),
    ):
        with pytest.raises(BenchError, match=message):
            make_cell(settings(*own))
    with pytest.raises(BenchError, match="token_guidance needs strings of tokens"):
        make_cell(cell_settings(["method=lidar_tokens"], []))


def test_without_rdkit_a_string_outside_the_table_is_an_error_that_says_what_to_install():
    if importlib.util.find_spec("rdkit"):
        pytest.skip("RDKit is installed")
    cell = make_cell(cell_settings(["backbone=molecules_udlm"], []))
    with pytest.raises(BenchError, match=r"RDKit, which is not installed: pip install"):
        load_backbone(cell.backbone)
    with pytest.raises(BenchError, match=r"RDKit, which is not installed: pip install"):
        known(None, "invalid").table.describe(["C" * 12])
    assert known(None, "invalid").describe(["C" * 12, "C"])[0] is None


def test_the_prior_is_every_molecule_of_the_table_alike(prior):
    table = known(None, "invalid").table
    level = token_level(0.5, prior.latent_shape[1])
    x = prior.table.points[[5, 800]]
    assert from_codes(prior.decode(x)) == [table.smiles[5], table.smiles[800]]
    matches = (x[:, None] * prior.table.points[None]).sum(dim=(2, 3))
    k, a = prior.latent_shape[1], level.alpha
    weights = ((a + (1 - a) / k) / ((1 - a) / k)) ** matches.double()
    weights = weights / weights.sum(dim=1, keepdim=True)
    wanted = torch.einsum("bn,nlk->blk", weights, prior.table.points.double())
    mean = prior.posterior_mean(x, level, prior.encode("set 0 of seed 0"))
    torch.testing.assert_close(mean.double(), wanted, atol=1e-5, rtol=0)


def test_rewards_are_the_table_s_and_an_invalid_string_has_none():
    rings = load_reward("rings", settings()["rewards"])
    assert isinstance(rings, MoleculeReward)
    codes = to_codes(["C1CC1", "C", "C1CC", "not one"], 12)
    assert rings(codes, "p").tolist() == [1.0, 0.0, 0.0, 0.0]
    assert rings.closed_form("p", prior_of_ones()).shape == (len(rings.known.table.rows),)
    with pytest.raises(ValueError, match="character codes"):
        rings(torch.rand(2, 3, 8, 8), "p")


def test_another_table_of_as_many_molecules_has_another_digest():
    rows = known(None, "invalid").table.rows[:5]
    changed = [*rows[:4], rows[4]._replace(rings=rows[4].rings + 1)]
    tables = (Molecules.of(rows), Molecules.of(rows), Molecules.of(changed))
    one, same, other = (Known(table, "invalid").digest for table in tables)
    assert one == same != other


def prior_of_ones():
    from methods.table import Table

    return Table(torch.zeros(1), torch.zeros(1, 1, 1))


def test_the_target_is_the_table_tilted_by_the_reward():
    rings = load_reward("rings", settings()["rewards"])
    weights, _ = tilted(rings, 1.5)
    raw = np.array([row.rings for row in rings.known.table.rows], float)
    wanted = np.exp(1.5 * raw) / np.exp(1.5 * raw).sum()
    np.testing.assert_allclose(weights, wanted)
    law, floor = reference(rings, 1.5, 64)
    assert abs(sum(law.values()) - 1) < 1e-9
    assert abs(law[2.0] - wanted[raw == 2].sum()) < 1e-9
    assert 0 < floor < 0.2
    assert total_variation(np.array([1.0, 1.0, 2.0, 9.0]), {1.0: 0.5, 2.0: 0.5}) == 0.25


def test_a_run_records_sets_of_strings_and_reports_them(tmp_path):
    lines = [["method=vanilla"], ["method=lidar_tokens", "method.efr.lookahead.n=32"]]
    cells = [make_cell(settings(*SMALL, *line)) for line in lines]
    done = run_cells(cells, tmp_path, Console(quiet=True))
    assert not done.problems
    records = list(read_records(done.folders[1] / "records.jsonl"))
    record = records[0]
    (file,) = record.images
    text = (done.folders[1] / "images" / file).read_text().splitlines()
    assert file.endswith("samples.txt")
    assert len(text) == 8 == len(record.scores["rings"])
    table = known(None, "invalid").table
    valid = [string in table.index for string in text]
    assert record.strings["valid"] == sum(valid) / 8 and record.strings["novel"] == 0
    assert record.strings["unique"] == len({s for s, v in zip(text, valid, strict=True) if v}) / 8
    assert record.scores["rings"] == [
        table.rows[table.index[s]].rings if s in table.index else 0 for s in text
    ]
    assert set(record.distance) == {"tv", "tv_floor"} and record.target["rings"] > 2
    page = build(tmp_path).read_text()
    assert "lidar" in page and "valid" in page and "paper" in page


def test_table_4_composes_into_cells_that_are_valid():
    from bench.config.compose import composed
    from bench.config.overrides import expand
    from bench.run.job import cell_lines

    config = composed(["experiment=paper/table4"])
    lines = [own for line in cell_lines(config.cells) for own in expand(line)]
    cells = [make_cell(cell_settings(["experiment=paper/table4"], own)) for own in lines]
    rules = {(s.rule, cell.method.estimators["lookahead"].n) for cell in cells
             for s in cell.method.steers.values() if hasattr(s, "rule")}  # fmt: skip
    assert {("token", 1024), ("additive", 16), ("ratio", 4096)} <= rules
    assert shrunk(settings("method=lidar_tokens")["method"])["efr"]["lookahead"]["n"] == 6
