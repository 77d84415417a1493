"""Configs on disk -> one row a cell: settings, labels that tell namesakes apart, coverage."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from bench.report.choice import TARGET
from bench.store import config as configs

REQUIRED = (
    ("cell", "cell"),
    ("method", "method.name"),
    ("backbone", "backbone.name"),
    ("experiment", "experiment"),
    ("seed", "seed"),
    ("images", "images"),
    ("steps", "steps"),
    ("solver", "solver"),
    ("total", "prompts.total"),
    ("code", "code"),
)


def read_cells(folder: Path, only: Collection[str] | None = None) -> pd.DataFrame:
    """One row a cell, indexed by its id, labelled; vanilla first, then lidar, then by label."""
    paths = sorted(folder.glob("cells/*/config.yaml"))
    if only is not None:
        paths = [path for path in paths if path.parent.name in only]
    if not paths:
        raise FileNotFoundError(f"no cells in {folder}: expected {folder}/cells/<cell>/config.yaml")
    cells = pd.DataFrame([read_cell(path) for path in paths])
    if cells.cell.duplicated().any():
        twice = cells.cell[cells.cell.duplicated()].iloc[0]
        raise ValueError(f"{folder}: the cell id {twice} is in two folders")
    cells["label"] = labels(cells)
    first = {"vanilla": 0, "lidar": 1}
    cells["rank"] = [first.get(method, 2) for method in cells.method]
    cells["digits"] = [re.sub(r"\d+", lambda m: m[0].zfill(9), label) for label in cells.label]
    order = ["rank", "digits"]  # so that n=50 stands before n=200
    return cells.sort_values(order, kind="stable").drop(columns=order).set_index("cell")


def read_cell(path: Path) -> dict[str, Any]:
    """What the report needs of a cell's config.yaml. Raises ValueError naming an absent key."""
    config = configs.read_config(path)
    flat = configs.leaves(config)
    row: dict[str, Any] = {"path": path.parent}
    for column, key in REQUIRED:
        row[column] = flat.get(key)
        if row[column] is None:
            raise ValueError(f"{path}: the key {key} is missing")
    row["reward"] = flat.get("reward")
    row["judge"] = flat.get("judge.name")
    row["untested"] = str(flat.get("weights.judge")).startswith("untested")
    row["settings"] = texts(config["method"])
    row["settings"] |= texts(config["backbone"], "backbone")
    row["config"] = config
    guiding = (config.get("rewards") or {}).get(row["reward"]) or {}
    row["settings"] |= texts(guiding, "reward")
    return row


def texts(node: Any, path: str = "") -> dict[str, str]:
    """Dotted key -> value, as text, of nested settings."""
    return {key: str(value) for key, value in configs.leaves(node, path).items()}


def labels(cells: pd.DataFrame) -> list[str]:
    """A distinct label a cell: the method, with the settings in which its namesakes differ."""
    made = []
    for row in cells.itertuples():
        namesakes = cells[cells.method == row.method]
        keys = dict.fromkeys(key for other in namesakes.settings for key in other)
        own = [
            f"{key.rsplit('.', 1)[-1]} {row.settings.get(key, 'none')}"
            for key in keys
            if len({other.get(key) for other in namesakes.settings}) > 1
        ]
        own += [f"{c} {getattr(row, c)}" for c in TARGET if namesakes[c].nunique() > 1]
        made.append(f"{row.method} ({', '.join(own)})" if own else row.method)
    return [
        f"{label} [{cell[-6:]}]" if made.count(label) > 1 else label
        for label, cell in zip(made, cells.cell, strict=True)
    ]


def coverage(cell: Any) -> str:
    """ "" for a complete cell, else what is missing of it, in words."""
    if cell.done < cell.total:
        failures = f" ({cell.failed} failed)" if cell.failed else ""
        return f"partial: {cell.done} of {cell.total} prompts{failures}"
    if cell.images_done < cell.images_total:
        return f"partial: {cell.images_done} of {cell.images_total} images"
    return ""


def one(cells: pd.DataFrame, column: str, folder: Path) -> str:
    """The only value of ``column``. Raises ValueError where there is none, or more than one."""
    found = sorted(set(cells[column].dropna()))
    if len(found) != 1:
        raise ValueError(
            f"{folder} holds cells of {len(found)} different values of {column} ({found}); "
            "a report compares methods on one backbone with one guiding reward"
        )
    return str(found[0])
