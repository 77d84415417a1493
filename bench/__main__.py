"""``python -m bench [experiment=NAME] [key=value …]``: run an experiment's cells and report.

``-m`` sweeps: comma-separated values make one job each (Hydra's multirun).
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
from collections.abc import Sequence
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

SUBCOMMANDS = {"compare": "bench.compare"}  # module with a main(arguments) -> exit code


class Incomplete(BenchError):
    """Something of what was asked for failed; the rest is done."""


class Terminated(KeyboardInterrupt):
    """SIGTERM."""


def plan(config: DictConfig, overrides: Sequence[str]) -> list[Cell]:
    """Every cell of a job, all validated before any begins.

    A method on the command line takes the place of the experiment's list of cells.
    """
    from bench.cell import make_cell  # here: it needs torch, and subcommands do not

    named = any(o.split("=")[0] in ("method", "method.name") for o in overrides)
    lines = [""] if named or not config.cells else [str(line) for line in config.cells]
    return [make_cell(cell_settings(overrides, own)) for line in lines for own in expand(line)]


def run(config: DictConfig, overrides: Sequence[str]) -> list[str]:
    """Run a job and write its report; returns what went wrong, in words."""
    from bench.report.build import build
    from bench.run import run_cells

    results = Path(config.results) / config.experiment_name
    done = run_cells(plan(config, overrides), results, Console())
    problems = list(done.problems)
    try:
        print(build(results, show=True, only=[f.name for f in done.folders]))
    except (OSError, ValueError) as error:
        problems.append(f"no report: {error}; the same command makes it when that is mended")
    return problems


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def main(config: DictConfig) -> None:
    """One job. Says itself what is wrong: of a sweep's errors Hydra passes on the first alone."""
    overrides: Any = list(HydraConfig.get().overrides.task)
    try:
        problems = run(config, overrides)
        if problems:
            raise Incomplete("\nerror: ".join(problems))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        if HydraConfig.get().mode == RunMode.MULTIRUN:
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
    signal.signal(signal.SIGTERM, stop)
    try:
        check_command_line(arguments)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    except BenchError as error:  # of a sweep; main has said it
        return 1 if isinstance(error, Incomplete) else 2
    except (HydraException, OmegaConfBaseException) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stopped:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 143 if isinstance(stopped, Terminated) else 130
    return 0


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
