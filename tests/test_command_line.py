"""A command line as a whole, before anything runs: sweeps looked at, folders chosen and tried."""

import sys

import pytest

import bench.__main__ as app
from bench.__main__ import check
from bench.config.cell import make_cell
from bench.config.compose import (
    cell_settings,
    check_command_line,
    composed,
    expand,
    experiment_name,
    groups,
    jobs,
    written_out,
)
from bench.errors import BenchError

N = "method.efr.lookahead.n"


@pytest.fixture
def results(tmp_path):
    return f"results={tmp_path}"


def test_the_last_job_of_a_sweep_is_refused_before_the_first_begins(results, monkeypatch, capsys):
    monkeypatch.setattr(app, "main", lambda: pytest.fail("a job began"))
    monkeypatch.setattr(sys, "argv", ["bench"])
    arguments = ["-m", results, "method=lidar", f"{N}=9,25,-1"]
    assert app.command(arguments) == 2
    assert capsys.readouterr().err == f"error: {N} must be an integer >= 1, got -1\n"
    with pytest.raises(BenchError, match="table 4 is not built"):
        check(["-m", results, "experiment=demo,paper/table4"])


def test_a_long_sweep_is_looked_at_in_part_and_says_so(results, monkeypatch, capsys):
    monkeypatch.setattr(app, "MOST", 2)
    check(["-m", results, "method=lidar", f"{N}=9,25,-1"])
    assert capsys.readouterr().out == "2 of 3 jobs checked; each of the others is as it begins\n"


def test_of_a_search_what_its_trials_share_is_looked_at(results, monkeypatch):
    monkeypatch.setattr("bench.config.compose.find_spec", lambda name: name)
    scale = "method.steer.guidance.scale=interval(1,12)"
    search = ["-m", results, "sweep=optuna", "method=lidar", "hydra.sweeper.n_trials=4", scale]
    assert [list(each) for each in jobs(search)[:1]] == [[[results, "method=lidar"]]]
    check(search)
    with pytest.raises(BenchError, match="did you mean 'steps'"):
        check([*search, "stesp=3"])
    with pytest.raises(BenchError, match="an interval is for a search, add sweep=optuna"):
        check(["-m", results, "method=lidar", scale])


@pytest.mark.parametrize("sweep", [[], ["-m"]])
def test_results_that_cannot_be_written_are_refused_at_once(sweep, tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(BenchError, match=rf"cannot write {file} \(File exists\)"):
        check([*sweep, f"results={file}"])
    with pytest.raises(BenchError, match="results must be a folder, got null"):
        check([*sweep, "results=null"])


def test_no_launcher_is_a_choice_and_so_are_hydra_s_own_sweeps():
    given = ["launch=null", "sweep=null", "experiment=glob(paper/*,exclude=paper/fig*)"]
    (experiments,) = written_out(given)
    names = experiments.removeprefix("experiment=").split(",")
    assert names == [n for n in groups()["experiment"] if n.startswith("paper/table")]
    check_command_line(["-m", "method=choice(lidar,ug)", "efr@method.efr=[exact,tweedie]"])
    assert expand("method=choice(lidar,ug)") == [["method=lidar"], ["method=ug"]]
    with pytest.raises(BenchError, match="there is no method 'ugg'"):
        check_command_line(["-m", "method=choice(lidar,ugg)"])
    with pytest.raises(BenchError, match=r"experiment=glob\(papers/\*\) matches none of cost"):
        written_out(["experiment=glob(papers/*)"])
    with pytest.raises(BenchError, match="mismatched input"):
        check_command_line(["-m", "method=lidar,"])


def named(*overrides):
    return experiment_name(composed(overrides), overrides)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ("", "demo"),
        ("steps=9 seed=2", "demo"),
        ("judge=none", "demo_judge_none"),
        ("method=lidar steps=9", "runs_miniature"),
        ("method=lidar judge=none", "runs_miniature_judge_none"),
        ("method=lidar reward=jpeg", "runs_miniature_reward_jpeg"),
        ("method=lidar prompts.seed=44", "runs_miniature_prompts_seed_44"),
        ("method=das backbone=mixture", "runs_mixture"),
        ("method=lidar backbone=sd15 weights=tiny", "runs_sd15_weights_tiny"),
        ("experiment=evidence reward=clip", "evidence"),
        ("method=lidar experiment_name=mine judge=none", "mine"),
    ],
)
def test_runs_of_one_s_own_go_where_what_they_meet_can_share_their_report(overrides, name):
    assert named(*overrides.split()) == name


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("device=gpu", "device must be one of auto, cpu, cuda, got 'gpu'"),
        ("device=null", "device must be one of auto, cpu, cuda, got 'None'"),
        ("device=cpu:x", "a number belongs to cuda alone, such as cuda:1, got 'cpu:x'"),
        ("device=cuda:x", "a number belongs to cuda alone, such as cuda:1, got 'cuda:x'"),
        ("judge=mask2former judge.device=null", "judge.device must be one of auto, cpu, cuda"),
        ("shard=1", "shard must be K/N .* got 1"),
        ("shard=null", "shard must be K/N .* got None"),
        ("scores=null", "scores must be a list of rewards, .* got None"),
        ("scores=jpeg", "scores must be a list of rewards, .* got 'jpeg'"),
        ("reward=[jpeg]", r"reward must be the name of one, got \['jpeg'\]"),
        ("rewards.clip=3", "rewards.clip must be a group of settings, got 3"),
        ("~steps", "there is no steps, and a cell needs it"),
        ("+prompts.foo=1", "prompts.foo is unknown: prompts has source, n, seed"),
        ("experiment=cost backbone=miniature", "weights=random changes nothing: backbone mini"),
    ],
)
def test_a_value_of_the_wrong_kind_is_explained(override, message):
    with pytest.raises(BenchError, match=message):
        make_cell(cell_settings(override.split(), []))


def test_weights_that_a_reward_or_a_judge_reads_are_taken():
    make_cell(cell_settings(["judge=mask2former", "+weights=tiny"], []))
    make_cell(cell_settings(["backbone=sd15", "backbone.weights=folder"], []))
    make_cell(cell_settings(["experiment=paper/table9", "backbone=sd15", "weights=random"], []))


def test_cells_that_are_no_list_are_refused():
    with pytest.raises(BenchError, match="cells must be a list of lines, got 5"):
        app.plan(composed(["cells=5"]), ["cells=5"])
