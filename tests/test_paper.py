"""The paper's experiments: every one runs from its command to its report at toy size, and each of
its lines makes valid cells on every backbone."""

from dataclasses import replace

import pytest

import bench.config.cell
import bench.run.job
from bench.config.cell import make_cell
from bench.config.compose import CONF, cell_settings, composed, groups
from bench.config.overrides import expand
from bench.miniature.pipeline import PACKAGED
from bench.run.cells import Bench
from bench.run.job import cell_lines, plan, run

PAPER = [name for name in groups()["experiment"] if name.startswith("paper/")]
OF_PICTURES = [name for name in PAPER if name != "paper/table4"]
ON_POINTS = ["paper/fig8"]  # needs the exact V
IN_FOURS = ["paper/table8", "paper/fig12"]  # populations of four
ENDS = ("miniature", "sdxl")  # of each sweep its ends there, elsewhere a cell a method
OTHER_WORLDS = ("mixture", "strings", "molecules", "molecules_udlm")
ON_PICTURES = [name for name in groups()["backbone"] if name not in OTHER_WORLDS]
TOY = ["scale=quick", "steps=2", "prompts.limit=1", "yardstick_every=1"]
MOST = 4  # lookahead samples or rollouts at toy size


def small(settings):
    """The cell of ``settings`` with few lookahead samples and rollouts: a test's own haste."""
    cell = make_cell(settings)
    estimators = {
        name: replace(e, n=min(e.n, MOST), **({"steps": 2} if name == "lookahead" else {}))
        if hasattr(e, "n")
        else e
        for name, e in cell.method.estimators.items()
    }
    steers = {
        name: replace(s, count=MOST - 1) if hasattr(s, "count") else s
        for name, s in cell.method.steers.items()
    }
    return replace(cell, method=replace(cell.method, estimators=estimators, steers=steers))


def one_a_method(line):
    return list({own[0]: own for own in reversed(expand(line))}.values())


def test_there_is_one_of_every_table_and_figure():
    tables = {f"paper/table{k}" for k in (2, 3, 4, 5, 6, 7, 8, 9, 10)}
    assert set(PAPER) == tables | {f"paper/fig{k}" for k in (3, 4, 7, 8, 10, 11, 12)}


@pytest.mark.parametrize("experiment", PAPER)
def test_an_experiment_is_short_and_opens_with_its_command(experiment):
    lines = (CONF / "experiment" / f"{experiment}.yaml").read_text().splitlines()
    assert 5 <= len(lines) <= 40
    assert lines[1] == f"# python -m bench experiment={experiment}"


@pytest.mark.parametrize("experiment", OF_PICTURES)
def test_every_experiment_runs_to_its_report(experiment, tmp_path, monkeypatch):
    """Of each line one cell a method: the others differ from it in a number."""
    monkeypatch.setattr(bench.config.cell, "make_cell", small)
    monkeypatch.setattr(bench.run.job, "expand", one_a_method)
    monkeypatch.setattr(Bench, "warm_up", lambda bench, prompt: None)
    monkeypatch.setattr("bench.run.cells.changed", lambda settings: None)  # composes anew
    points = experiment in ON_POINTS
    images = 8 if points else 4 if experiment in IN_FOURS else 2
    overrides = [f"experiment={experiment}", *TOY, f"images={images}", f"results={tmp_path}"]
    config = composed(overrides)
    done = run(config, overrides)
    assert not done.problems and not done.unreported
    assert config.experiment_name == experiment.replace("/", "_") + (
        "_mixture_quick" if points else "_miniature_quick"
    )
    results = tmp_path / config.experiment_name
    assert {folder.parent.parent for folder in done.folders} == {results}
    assert len(set(done.folders)) > 1
    report = (results / "report.md").read_text()
    assert all((folder / "records.jsonl").read_text().count("\n") == 1 for folder in done.folders)
    assert "partial" not in report and "failed" not in report


@pytest.mark.parametrize("backbone", ON_PICTURES)
def test_every_line_is_valid_on_every_backbone(backbone):
    """A line that several experiments share once; each method once, where sweeps are left out."""
    seen = set()
    for experiment in sorted(set(OF_PICTURES) - set(ON_POINTS)):
        base = [f"experiment={experiment}", f"backbone={backbone}"]
        base += [] if backbone in PACKAGED else ["weights=tiny"]
        config = composed(base)
        if experiment != "paper/table9":  # it judges nothing
            assert config.scores
        for line in cell_lines(config.cells):
            cells = expand(line)
            for own in cells[:: max(1, len(cells) - 1)] if backbone in ENDS else cells[:1]:
                around = (str(config.judge.name), str(config.reward), config.solver)
                key = (*own, *around) if backbone in ENDS else (own[0],)
                if key not in seen:
                    seen.add(key)
                    cell = make_cell(cell_settings(base, own))
                    assert cell.backbone["name"] == backbone
                    assert cell.total == (24 if experiment == "paper/table9" else 553)
    assert len(seen) > (50 if backbone in ENDS else 10), len(seen)


def test_quick_shortens_what_full_runs_and_the_command_line_wins_over_both():
    full = cell_settings(["experiment=paper/fig3"], [])
    assert (full["steps"], full["prompts"]["per_task"]) == (50, None)
    quick = cell_settings(["experiment=paper/fig3", "scale=quick"], [])
    assert (quick["steps"], quick["prompts"]["per_task"]) == (10, 1)
    mine = cell_settings(["experiment=paper/fig3", "scale=quick", "steps=7"], [])
    assert (mine["steps"], mine["prompts"]["per_task"]) == (7, 1)
    assert "paper" not in mine and "scale" not in mine
    demo = cell_settings(["scale=quick"], [])
    assert demo["prompts"]["per_task"] == 1


def test_sdxl_s_lookahead_is_by_three_solvers():
    config = composed(["experiment=paper/table2", "backbone=sdxl"])
    cells = plan(config, ["experiment=paper/table2", "backbone=sdxl"])
    rows = [
        (e.solver, e.steps, e.n)
        for c in cells
        if c.method.name == "lidar" and c.solver == "ddpm"
        for e in c.method.estimators.values()
    ]
    assert rows == [("dpm", 8, 50), ("lcm", 4, 100), ("dmd2", 1, 100)]


def test_lines_may_be_lists_of_lines():
    assert list(cell_lines(["a", ["b", ["c"]], "d"])) == ["a", "b", "c", "d"]
