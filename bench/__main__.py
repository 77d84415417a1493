"""``python -m bench [experiment=NAME] [key=value …]``: run an experiment's cells and report.

``-m`` sweeps: comma-separated values make one job each (Hydra's multirun), spread by ``launch=``.
``python -m bench list``: the experiments, methods, backbones and rewards that there are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console

from bench.compose import cell_settings, check_command_line, expand
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.cell import Cell

SUBCOMMANDS = {"list": "bench.listing"}  # module with a main(arguments) -> exit code


def plan(config: DictConfig, overrides: Sequence[str]) -> list[Cell]:
    """Every cell of a job, all validated before any begins.

    A method on the command line takes the place of the experiment's list of cells.
    """
    from bench.cell import make_cell
    from bench.objective import check_objective

    if config.get("not_built"):
        raise BenchError(str(config.not_built))
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


def run(config: DictConfig, overrides: Sequence[str], sweep: bool = False) -> list[Path]:
    """Run a job and write its report; returns the folders of its cells.

    Of a sweep's jobs on one results folder, which may run side by side, the last to finish reports
    on all that is in the folder.
    """
    from bench.report.build import build
    from bench.run import run_cells
    from bench.turns import alone, at_work, reporting

    results = Path(config.results) / config.experiment_name
    cells = plan(config, overrides)
    with at_work(results, sweep) as others:
        folders = run_cells(cells, results, Console())
        if sweep and not alone(others):
            print(f"{results}: other jobs are still at work here; the last of them reports")
            return folders
        with reporting(results):
            only = None if sweep else [folder.name for folder in folders]
            print(build(results, show=True, only=only))
    return folders


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def main(config: DictConfig) -> float | None:
    """One job; returns its objective where there is one. Says itself what is wrong: of a sweep's
    errors, Hydra passes on the first."""
    from bench.objective import objective

    overrides: Any = list(HydraConfig.get().overrides.task)
    sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    try:
        return objective(config.objective, run(config, overrides, sweep))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        if sweep:
            raise  # the launcher goes on with the other jobs
        raise SystemExit(2) from None


def command(arguments: Sequence[str]) -> int:
    """What the command line asks for; the exit code: 0 done, 1 a job of a sweep failed and the
    others are done, 2 it cannot be done, 130 stopped."""
    if arguments and arguments[0] in SUBCOMMANDS:
        code: int = import_module(SUBCOMMANDS[arguments[0]]).main(list(arguments[1:]))
        return code
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")  # errors come here, not as text to stderr
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # before ray starts, in this process
    try:
        check_command_line(arguments)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        main()
    except BenchError:  # of a sweep's job, which has said it
        return 1
    except (HydraException, OmegaConfBaseException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
