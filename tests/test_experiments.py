"""Every line of every experiment that is not the paper's own is a cell that can run."""

import pytest

from bench.config.compose import cell_settings, composed, groups
from bench.config.overrides import expand
from bench.report.domains.controls import LIDAR
from bench.run.job import cell_lines, plan


def settings(*overrides):
    return cell_settings(overrides, [])


OURS = [name for name in groups()["experiment"] if not name.startswith("paper/")]


def ends(line):
    """Of each method of a line the first and the last cell."""
    groups = {}
    for own in expand(line):
        groups.setdefault(own[0], []).append(own)
    return [own for group in groups.values() for own in group[:: max(1, len(group) - 1)]]


@pytest.mark.parametrize("experiment", OURS)
def test_every_line_of_every_experiment_is_valid(experiment, monkeypatch):
    """The paper's: tests/test_paper.py."""
    monkeypatch.setattr("bench.run.job.expand", ends)
    overrides = [f"experiment={experiment}"]
    config = composed(overrides)
    cells = plan(config, overrides)
    named = set()
    for line in cell_lines(config.cells):
        given = dict(word.split("=", 1) for word in line.split())
        named |= {*given.get("method.name", given["method"]).split(",")}
    assert {c.method.name for c in cells} == named
    if experiment == "miniature":
        assert cells[0].total == 553 and cells[0].steps == 50


def test_in_every_domain_lidar_draws_ahead_for_as_many_calls_as_its_target_sampling_takes():
    """And each line brings what goes with its own backbone: prompts, judge, tuned settings."""
    overrides = ["experiment=domains"]
    own = {
        "miniature": ("miniature", "preference", 48, 12),
        "mixture": ("truth", "quadratic", 16, 1.0),
    }
    for cell in plan(composed(overrides), overrides):
        lidar = cell.method.name in LIDAR
        if lidar:
            ahead = cell.method.estimators["lookahead"]
            assert ahead.n * ahead.steps == pytest.approx(cell.images * cell.steps, rel=0.05)
        if cell.backbone["name"] in own:
            *brought, scale = own[cell.backbone["name"]]
            assert [cell.judge["kind"], cell.reward, cell.total] == brought
            assert not lidar or cell.method.steers["guidance"].scale == scale
