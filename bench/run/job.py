"""A job of the command line: its cells planned, all of them checked, then run and reported."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from bench.config.compose import cell_settings, composed, experiment_name, searched
from bench.config.overrides import MULTIRUN, check_command_line, expand, jobs, searches, sweeps
from bench.errors import BenchError
from bench.store import contrasts
from bench.store.disk import check_writable

if TYPE_CHECKING:
    from bench.config.cell import Cell
    from bench.run.cells import Done

MOST = 200  # cells of a sweep that are looked at before it begins


class Incomplete(BenchError):
    """Something of what was asked for failed; the rest is done."""


def plan(config: DictConfig, overrides: Sequence[str]) -> list[Cell]:
    """Every cell of a job, all validated before any begins.

    A method on the command line takes the place of the experiment's list of cells.
    """
    from bench.config.cell import make_cell  # here: it needs torch, and subcommands do not
    from bench.run.objective import check_objective

    if not OmegaConf.is_list(config.cells):
        raise BenchError(f"cells must be a list of lines, got {config.cells!r}")
    keys = {o.split("=")[0] for o in overrides}
    named = bool(keys & {"method", "method.name"})
    lines = [""] if named or not config.cells else list(cell_lines(config.cells))
    cells = [make_cell(cell_settings(overrides, own)) for line in lines for own in expand(line)]
    check_objective(config.get("objective"), cells)
    if not named and "cells" not in keys:
        contrasts.check(
            contrasts.parsed(config.get("contrasts")), [cell.settings for cell in cells]
        )
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
    if {a for a in arguments if a.startswith("-")} - MULTIRUN:
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
    if not isinstance(config.results, str) or not config.results.strip():
        raise BenchError(f"results must be a folder, got {config.results!r}")
    return Path(config.results).expanduser()


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
    if "cost_model" in config:
        from bench.run.cost_model import run_cost_model

        print(run_cost_model(cells, config.cost_model, results, Console()))
        return Done([], [])
    with at_work(results, sweep) as others:
        if declared := contrasts.parsed(config.get("contrasts")):
            check_writable(results)
            with reporting(results):
                contrasts.write(results, declared)
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

    given: Any = HydraConfig.get().overrides
    overrides = [*given.task, *searched(given.hydra)]
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
