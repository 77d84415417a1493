"""The command line when something fails: exit codes and words."""

import os
import signal
import subprocess
import sys
import time

import pytest

import bench.report.build
import bench.run.attempt
import bench.run.cells
import bench.run.job as app
from bench.__main__ import main
from bench.config.compose import composed
from bench.errors import BenchError
from bench.store.turns import at_work


def forked(arguments, results, before=lambda: None):
    """A process that is ``python -m bench`` with the toy's models; its streams go to files."""
    pid = os.fork()
    if pid:
        return pid
    code = 99
    try:
        for name, number in (("out", 1), ("err", 2)):
            os.dup2(os.open(results / name, os.O_CREAT | os.O_WRONLY | os.O_TRUNC), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["bench", *arguments]
        os.chdir(results)  # a sweep leaves Hydra's multirun.yaml where it is called
        before()
        code = main()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


TOY = ["prompts.per_task=1", "steps=2", "images=2"]


def failing(bad):
    """Sampling fails on the methods that ``bad`` accepts."""

    def before():
        real = bench.run.attempt.measure_fitting

        def measure(task, method, prompt):
            if bad(method, prompt):
                raise RuntimeError("shapes do not match")
            return real(task, method, prompt)

        bench.run.attempt.measure_fitting = measure

    return before


def test_failed_prompts_end_in_exit_code_one_a_summary_and_a_report_that_says_so(toy, tmp_path):
    text = toy().prompts[1].text
    arguments = [f"results={tmp_path}", *TOY, 'cells=["method=vanilla"]']
    before = failing(lambda method, prompt: prompt == text)
    assert ended(forked(arguments, tmp_path, before)) == 1
    errors, out = (tmp_path / "err").read_text(), (tmp_path / "out").read_text()
    assert "1 of 6 prompts failed" in errors and "shapes do not match" in errors
    assert "Traceback" not in errors and out.strip().endswith("report.md")
    assert (
        "partial: 5 of 6 prompts (1 failed)"
        in (tmp_path / "runs_miniature" / "report.md").read_text()
    )
    assert ended(forked(arguments, tmp_path)) == 0
    assert (tmp_path / "err").read_text() == ""


def test_a_cell_that_stops_leaves_a_report_of_the_others(toy, tmp_path):
    arguments = [f"results={tmp_path}", *TOY, 'cells=["method=best_of_n", "method=vanilla"]']
    before = failing(lambda method, prompt: method.name == "best_of_n")
    assert ended(forked(arguments, tmp_path, before)) == 1
    errors = (tmp_path / "err").read_text()
    assert "best_of_n: stopped: the first 3 prompts failed alike" in errors
    assert "Traceback" not in errors
    assert "vanilla" in (tmp_path / "runs_miniature" / "report.md").read_text()


def test_where_every_prompt_fails_there_is_no_report_and_no_traceback(toy, tmp_path):
    arguments = [f"results={tmp_path}", *TOY, "method=vanilla"]
    assert ended(forked(arguments, tmp_path, failing(lambda *at: True))) == 1
    errors = (tmp_path / "err").read_text()
    assert "error: no report: " in errors and "Traceback" not in errors


def test_a_sweep_s_other_jobs_run_where_one_fails(toy, tmp_path):
    arguments = ["-m", f"results={tmp_path}", *TOY, "method=best_of_n,vanilla"]
    before = failing(lambda method, prompt: method.name == "best_of_n")
    assert ended(forked(arguments, tmp_path, before)) == 1
    errors = (tmp_path / "err").read_text()
    assert "the first 3 prompts failed alike" in errors and "Traceback" not in errors
    (path,) = tmp_path.glob("runs_miniature/cells/vanilla-*/records.jsonl")
    assert path.read_text().count("\n") == 6


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_run_with_a_message(toy, tmp_path, number, code):
    def slow():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        bench.run.attempt.measure_fitting = lambda *at: time.sleep(60)

    pid = forked([f"results={tmp_path}", *TOY, "method=vanilla"], tmp_path, slow)
    deadline = time.monotonic() + 60
    while (
        not list(tmp_path.glob("runs_miniature/cells/*/config.yaml"))
        and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    os.kill(pid, number)
    assert ended(pid) == code
    errors = (tmp_path / "err").read_text()
    assert errors == "stopped; the same command goes on from here\n"


def test_subcommands_are_reached_before_hydra_sees_the_command_line():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "compare", "nowhere", "neither"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: nowhere is neither a cell's folder")


def test_the_last_job_at_work_reports_on_the_others_where_its_own_cell_is_refused(
    toy, tmp_path, monkeypatch
):
    given = [f"results={tmp_path}", *TOY]
    own = [*given, "method=vanilla"]
    with at_work(tmp_path / "runs_miniature"):
        assert not app.run(composed(own), own, sweep=True).problems
    report = tmp_path / "runs_miniature" / "report.md"
    assert not report.exists(), "another job was at work"

    def refuse(*at):
        raise BenchError("too little memory")

    monkeypatch.setattr(bench.run.cells, "load_backbone", refuse)
    other = [*given, "method=best_of_n"]
    done = app.run(composed(other), other, sweep=True)
    assert done.problems == ["too little memory"] and not done.unreported
    assert "vanilla" in report.read_text()


@pytest.mark.parametrize(("objective", "code"), [("preference", 0), ("null", 1)])
def test_a_search_takes_its_objective_where_only_the_report_failed(toy, tmp_path, objective, code):
    def before():
        def build(*at, **options):
            raise ValueError("cells that cannot share a report")

        bench.report.build.build = build

    arguments = ["-m", f"results={tmp_path}", *TOY, "method=vanilla", f"objective={objective}"]
    assert ended(forked(arguments, tmp_path, before)) == code
    errors = (tmp_path / "err").read_text()
    assert "error: no report: cells that cannot share a report\n" in errors
    assert "Traceback" not in errors
