"""``python -m bench [experiment=NAME] [key=value …]``: run an experiment's cells and report.

``-m`` sweeps: comma-separated values make one job each (Hydra's multirun), spread by ``launch=``.
``python -m bench list``: the experiments, methods, backbones, prompts and rewards there are.
``python -m bench compare A B``: why two runs differ.

Exit codes: 0 all is done; 1 something of it failed, the rest is done; 2 what was asked for cannot
be done as things are (bad input, a full disk, another process at the cell); 130 and 143 stopped by
SIGINT and SIGTERM. After 1, 130, 143 and kill -9 the same command goes on, after 2 when the cause
is mended.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from bench.config.compose import (
    cell_settings,
    check_command_line,
    composed,
    expand,
    experiment_name,
    jobs,
    searches,
    sweeps,
    written_out,
)
from bench.errors import BenchError
from bench.store.disk import check_writable

if TYPE_CHECKING:
    from bench.config.cell import Cell
    from bench.run.cells import Done

# A module with a main(arguments) -> exit code.
SUBCOMMANDS = {"compare": "bench.report.compare", "list": "bench.config.listing"}
MOST = 200  # cells of a sweep that are looked at before it begins


class Incomplete(BenchError):
    """Something of what was asked for failed; the rest is done."""


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


def plan(config: DictConfig, overrides: Sequence[str]) -> list[Cell]:
    """Every cell of a job, all validated before any begins.

    A method on the command line takes the place of the experiment's list of cells.
    """
    from bench.config.cell import make_cell  # here: it needs torch, and subcommands do not
    from bench.run.objective import check_objective

    if config.get("not_built"):
        raise BenchError(str(config.not_built))
    if not OmegaConf.is_list(config.cells):
        raise BenchError(f"cells must be a list of lines, got {config.cells!r}")
    named = any(o.split("=")[0] in ("method", "method.name") for o in overrides)
    lines = [""] if named or not config.cells else list(cell_lines(config.cells))
    cells = [make_cell(cell_settings(overrides, own)) for line in lines for own in expand(line)]
    check_objective(config.get("objective"), cells)
    return cells


def cell_lines(cells: Any) -> Iterator[str]:
    """The lines of ``cells``, of which some may be lists of lines."""
    for entry in cells:
        if isinstance(entry, str):
            yield entry
        else:
            yield from cell_lines(entry)


def check(arguments: Sequence[str]) -> None:
    """Raise BenchError, before any job begins, for what a job would refuse; loads no model.

    A sweep's jobs are looked at up to ``MOST`` cells, a search's as they begin.
    """
    check_command_line(arguments)
    if {a for a in arguments if a.startswith("-")} - {"-m", "--multirun"}:
        return  # Hydra is asked for something else
    every, count = jobs(arguments)
    cells = 0
    for number, overrides in enumerate(every, start=1):
        config = composed(overrides)
        check_writable(results_folder(config))
        if sweeps(arguments) and not searches(arguments):
            cells += len(plan(config, overrides))
        if cells >= MOST and number < count:
            print(f"{number} of {count} jobs checked; each of the others is as it begins")
            return


def results_folder(config: DictConfig) -> Path:
    if config.results is None:
        raise BenchError("results must be a folder, got null")
    return Path(str(config.results))


def run(config: DictConfig, overrides: Sequence[str], sweep: bool = False) -> Done:
    """Run a job and write its report.

    Of a sweep's jobs on one results folder, which may run side by side, the last to finish reports
    on all that is in the folder, whatever became of its own cells.
    """
    from bench.report.build import build
    from bench.run.cells import Done, run_cells
    from bench.store.turns import alone, at_work, reporting

    results = results_folder(config) / experiment_name(config, overrides)
    cells = plan(config, overrides)
    with at_work(results, sweep) as others:
        try:
            done = run_cells(cells, results, Console())
        except BenchError as error:
            if not sweep:
                raise
            done = Done([], [str(error)])
        if sweep and not alone(others):
            print(f"{results}: other jobs are still at work here; the last of them reports")
            return done
        try:
            with reporting(results):
                only = None if sweep else [folder.name for folder in done.folders]
                print(build(results, show=True, only=only))
        except (OSError, ValueError) as error:
            return replace(done, unreported=f"no report: {error}\nwhat was sampled is kept")
    return done


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def main(config: DictConfig) -> float | None:
    """One job; returns its objective where there is one. Says itself what is wrong: of a sweep's
    errors Hydra passes on the first alone."""
    from bench.run.objective import objective

    overrides: Any = list(HydraConfig.get().overrides.task)
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        done = run(config, overrides, sweep)
        problems = [*done.problems, *filter(None, [done.unreported])]
        if sweep and config.objective and not done.problems:
            print("".join(f"error: {problem}\n" for problem in problems), end="", file=sys.stderr)
        elif problems:
            raise Incomplete("\nerror: ".join(problems))
        return objective(config.objective, done.folders)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        if sweep:
            raise  # the other jobs go on
        raise SystemExit(1 if isinstance(error, Incomplete) else 2) from None


def stop(number: int, frame: Any) -> None:
    raise Terminated


def command(arguments: Sequence[str]) -> int:
    """What the command line asks for; the exit code."""
    if arguments and arguments[0] in SUBCOMMANDS:
        code: int = import_module(SUBCOMMANDS[arguments[0]]).main(list(arguments[1:]))
        return code
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors come here, not as text to stderr
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before ray starts, in this process
    signal.signal(signal.SIGTERM, stop)
    try:
        sys.argv[1:] = arguments = written_out(arguments)  # where Hydra reads them
        check(arguments)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    except BenchError:  # of a sweep; main has said it, the others are done
        return 1
    except (HydraException, OmegaConfBaseException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 143 if isinstance(stopped, Terminated) else 130
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
