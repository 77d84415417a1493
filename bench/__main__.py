"""``python -m bench [experiment=NAME] [key=value …]``: run an experiment's cells and report.

``-m`` sweeps: comma-separated values make one job each (Hydra's multirun).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.console import Console

from bench.cell import Cell, make_cell
from bench.compose import cell_settings, check_command_line, expand
from bench.errors import BenchError


def plan(config: DictConfig, overrides: Sequence[str]) -> list[Cell]:
    """Every cell of a job, all validated before any begins.

    A method on the command line takes the place of the experiment's list of cells.
    """
    named = any(o.split("=")[0] in ("method", "method.name") for o in overrides)
    lines = [""] if named or not config.cells else [str(line) for line in config.cells]
    return [make_cell(cell_settings(overrides, own)) for line in lines for own in expand(line)]


def run(config: DictConfig, overrides: Sequence[str]) -> Path:
    """Run a job and write its report; returns the experiment's folder."""
    from bench.report.build import build
    from bench.run import run_cells

    console = Console()
    results = Path(config.results) / config.experiment_name
    cells = plan(config, overrides)
    folders = run_cells(cells, results, console)
    print(build(results, show=True, only=[f.name for f in folders]))
    return results


@hydra.main(version_base="1.3", config_path="pkg://conf", config_name="config")
def main(config: DictConfig) -> None:
    overrides: Any = list(HydraConfig.get().overrides.task)
    try:
        run(config, overrides)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    try:
        check_command_line(sys.argv[1:])
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    main()
