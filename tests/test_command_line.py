"""A command line as a whole, before anything runs: sweeps looked at, folders chosen and tried."""

import os
import re
import signal
import subprocess
import sys

import pytest

import bench.run.job as app
from bench.__main__ import SUBCOMMANDS
from bench.config.cell import make_cell
from bench.config.compose import CONF, cell_settings, composed, experiment_name, groups
from bench.config.overrides import check_command_line, expand, jobs, written_out
from bench.errors import BenchError
from bench.run.command import main as command
from bench.run.job import check

PREFERENCE = ["reward=preference", "scores=[preference]"]
N = "method.efr.lookahead.n"


@pytest.fixture
def results(tmp_path):
    return f"results={tmp_path}"


def test_the_last_job_of_a_sweep_is_refused_before_the_first_begins(results, monkeypatch, capsys):
    monkeypatch.setattr(app, "main", lambda: pytest.fail("a job began"))
    monkeypatch.setattr(sys, "argv", ["bench"])
    arguments = ["-m", results, "method=lidar", f"{N}=9,25,-1"]
    assert command(arguments) == 2
    assert capsys.readouterr().err == f"error: {N} must be an integer >= 1, got -1\n"
    with pytest.raises(BenchError, match="seed must be an integer >= 0"):
        check(["-m", results, "experiment=demo,paper/table4", "seed=0,-1"])


def test_a_long_sweep_is_looked_at_in_part_and_says_so(results, monkeypatch, capsys):
    monkeypatch.setattr(app, "MOST", 2)
    check(["-m", results, "method=lidar", f"{N}=9,25,-1"])
    assert capsys.readouterr().out == "2 of 3 jobs checked; each of the others is as it begins\n"


def test_of_a_search_what_its_trials_share_is_looked_at(results, monkeypatch):
    monkeypatch.setattr("bench.config.overrides.find_spec", lambda name: name)
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
    with pytest.raises(BenchError, match="results must be a folder, got None"):
        check([*sweep, "results=null"])
    with pytest.raises(BenchError, match="results must be a folder, got ''"):
        check([*sweep, "results="])


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
        ("scores=null", "scores must be a list, got None"),
        ("scores=jpeg", "scores must be a list, got 'jpeg'"),
        ("reward=[jpeg]", r"reward must be text, got \['jpeg'\]"),
        ("rewards.clip=3", "rewards.clip must be a group of settings, got 3"),
        ("~steps", "there is no steps, and it is needed"),
        ("+prompts.foo=1", "prompts.foo is unknown: prompts has source, n, seed"),
        ("+backbone.gudance=3", "backbone.gudance is unknown: .* did you mean 'guidance'"),
        ("~judge.kind", "judge.kind must be text, got None"),
        ("judge=mask2former ~judge.batch", "there is no judge.batch, and it is needed"),
        ("judge=mask2former ~judge.thresholds.max_objects", "no judge.thresholds.max_objects"),
        ("judge=mask2former judge.self_test=maybe", "self_test must be true or false, got"),
        ("backbone=mixture ~backbone.path", "there is no backbone.path, and it is needed"),
        ("backbone=mixture backbone.dimension=[2]", r"dimension must be an integer, got \[2\]"),
        ("method.name=a/b", "method.name names a folder, got 'a/b'"),
        ("~backbone.guidance", "there is no backbone.guidance, and it is needed"),
        ("backbone.max_batch=many", "backbone.max_batch must be an integer, got 'many'"),
        ("backbone.solvers=null", "backbone.solvers must be a group of settings, got None"),
        ("+backbone.solvers.x=3", "backbone.solvers.x must be a group of settings, got 3"),
        ("backbone=sd15 backbone.weights=/no", "random, tiny, or the folder .* no folder '/no'"),
        ("backbone.weights=tiny", "backbone.weights must be null, or the folder of a pipeline"),
        ("prompts.n=1000000000", "prompts.n must be an integer from 1 to 100000, got 10"),
        ("images=100000000", "images must be an integer from 1 to 10000, got 100000000"),
        ("steps=5000", "steps with solver=ddpm must be at most 1000, .* miniature was trained on"),
        (
            "solver=lcm steps=60",
            "at most 50, the steps that its denoiser was distilled for",
        ),
        (
            "method=lidar method.efr.lookahead.steps=5000",
            "lookahead.steps with .* at most 1000",
        ),
        ("method=vanilla_more_steps steps=800", "at most 1000, .* got 1600"),
        ("method=fk_smc images=1", "fk_smc resamples a population of one particle"),
        ("method=lidar method.steer.guidance.interval=0.5", "interval must be a list, got 0.5"),
        ("method.steer=3", "method.steer must be a group of settings, got 3"),
        ("experiment=cost backbone=miniature", "weights=random changes nothing: backbone mini"),
    ],
)
def test_a_value_of_the_wrong_kind_is_explained(override, message):
    with pytest.raises(BenchError, match=message):
        make_cell(cell_settings(override.split(), []))


def test_weights_that_a_reward_or_a_judge_reads_are_taken(tmp_path):
    make_cell(cell_settings(["judge=mask2former", "+weights=tiny"], []))
    own = ["backbone=sd15", f"backbone.weights={tmp_path}"]
    make_cell(cell_settings(own, []))
    make_cell(cell_settings([*own, "judge=none", "rewards=miniature", *PREFERENCE], []))
    make_cell(cell_settings(["experiment=paper/table9", "backbone=sd15", "weights=random"], []))


def test_cells_that_are_no_list_are_refused():
    with pytest.raises(BenchError, match="cells must be a list of lines, got 5"):
        app.plan(composed(["cells=5"]), ["cells=5"])


# Processes: what a shell sees


def start(*arguments, folder, **environment):
    """``python -m bench`` in another folder; a name that is None is not in its environment."""
    own = {**os.environ, "PYTHONPATH": str(CONF.parent), **environment}
    command = [sys.executable, "-m", "bench", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=own, stdout=pipe, stderr=pipe, text=True)


def answer(*arguments, folder, **environment):
    process = start(*arguments, folder=folder, **environment)
    out, err = process.communicate(timeout=120)
    assert "Traceback" not in out + err
    return process.returncode, out, err


def test_help_names_every_subcommand(tmp_path):
    code, out, err = answer("--help", folder=tmp_path)
    assert (code, err) == (0, "")
    for name in SUBCOMMANDS:
        assert re.search(rf"^  guidance-bench \[?{name}\b", out, re.MULTILINE), name
    assert answer("run", "-h", folder=tmp_path)[1] == out
    assert "usage: python -m bench.weights" in answer("weights", "--help", folder=tmp_path)[1]


def test_an_unknown_subcommand_suggests_the_nearest(tmp_path):
    code, out, err = answer("repot", "results", folder=tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        "error: there is no subcommand 'repot': choose from run, list, report, compare, profile, "
        "gradient, judge, weights, geneval; did you mean 'report'?\n"
    )


@pytest.mark.parametrize("name", ["methods.py", "conf/__init__.py"])
def test_a_file_in_the_place_of_a_package_is_named(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    code, out, err = answer("method=lidr", folder=tmp_path)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {path} is in the way: guidance-bench has a package ")
    assert err.count("\n") == 1


def test_a_second_complaint_of_hydra_is_not_explained_again(tmp_path):
    (tmp_path / "method").mkdir()
    (tmp_path / "method" / "mine.yaml").write_text("defaults: [nowhere]\n")
    given = written_out(["--config-dir", str(tmp_path), "method=mine", "stesp=3"])
    with pytest.raises(BenchError, match="nowhere"):
        composed(given)


def test_an_ascii_terminal_is_written_to(tmp_path):
    code, out, _ = answer("list", "methods", folder=tmp_path, PYTHONIOENCODING="ascii")
    assert code == 0 and "lookahead ? guidance" in " ".join(out.split())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("place", ["bench.config.overrides", "hydra", "bench.report.build"])
def test_a_signal_at_any_moment_ends_in_its_code_without_a_traceback(number, code, place, tmp_path):
    """The process waits inside an import: of the composing, of Hydra, of the report."""
    hook = f"""
import importlib.abc, signal, sys, time
class Wait(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == {place!r}:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            print("waiting", flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Wait())
"""
    (tmp_path / "sitecustomize.py").write_text(hook)
    path = f"{tmp_path}{os.pathsep}{CONF.parent}"
    arguments = ["report", str(tmp_path)] if "report" in place else ["method=lidar", "results=r"]
    process = start(*arguments, folder=tmp_path, PYTHONPATH=path)
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert err == "stopped; the same command goes on from here\n"
