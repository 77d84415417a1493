"""The paper's costs (LiDAR, arXiv 2602.03211, tables 2, 9, 10) for a cell, where it has one.

One A100 80 GB, four images a prompt; a ratio is seconds over vanilla's of the same solver. Never
measured here: these numbers stand beside measured ones and in place of none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

TABLES = Path(__file__).parent.parent.parent / "results" / "published"
# Our solver and number of steps -> the paper's column.
SOLVERS = {("ddpm", 100): "ddpm100", ("ddim", 50): "ddim50"}
# Our lookahead solver -> the paper's prefix; its name ends in the number of steps.
LOOKAHEADS = {"dpm": "dpm", "lcm": "lcm", "dmd2": "dmd"}
DATE_EVERY = 2  # the paper's tables


@dataclass(frozen=True)
class Published:
    """``seconds`` a prompt, ``ratio`` to vanilla, ``memory`` in GiB (None where not given)."""

    seconds: float
    ratio: float
    memory: float | None


def published(settings: Mapping[str, Any]) -> Published | None:
    """What the paper reports for a cell's settings; None where it has no such row."""
    rows = _rows(settings)
    if rows is None or rows.empty:
        return None
    method = settings["method"]["name"]
    own = rows[rows.method == method]
    if method == "lidar":
        options = settings["method"]["efr"]["lookahead"]
        prefix = LOOKAHEADS.get(options["solver"])
        own = own[(own.lookahead == f"{prefix}{options['steps']}") & (own.n == options["n"])]
    if method == "date" and settings["method"]["steer"]["embedding"]["every"] != DATE_EVERY:
        return None
    vanilla = rows[rows.method == "vanilla"]
    if len(own) != 1 or len(vanilla) != 1:
        return None
    seconds, memory = float(own.seconds.iloc[0]), float(own.memory_gib.iloc[0])
    ratio = seconds / float(vanilla.seconds.iloc[0])
    return Published(seconds, ratio, None if memory != memory else memory)


def _rows(settings: Mapping[str, Any]) -> pd.DataFrame | None:
    """The paper's rows of the cell's backbone and target solver, or None."""
    solver = SOLVERS.get((settings["solver"], settings["steps"]))
    paths = [TABLES / name for name in ("table2.csv", "table10_sdxl_ddim.csv")]
    if solver is None or settings["images"] != 4 or not all(p.is_file() for p in paths):
        return None
    every = pd.concat([pd.read_csv(path) for path in paths]).drop_duplicates()
    return every[(every.backbone == settings["backbone"]["name"]) & (every.solver == solver)]
