"""Every config.yaml of a results folder -> one row a cell: settings, and labels that differ."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import BenchError
from bench.store.config import leaves, read_config

REQUIRED = {
    "cell": "cell",
    "method": "method.name",
    "backbone": "backbone.name",
    "experiment": "experiment",
    "seed": "seed",
    "images": "images",
    "steps": "steps",
    "solver": "solver",
    "total": "prompts.total",
    "code": "code",
}
SOURCE = "reward.source"  # of settings: the digest of a guiding reward from outside
TARGET = ["seed", "steps", "solver"]  # what a cell shares with the vanilla that it is compared with


def read_cells(folder: Path, only: Collection[str] | None = None) -> pd.DataFrame:
    """One row a cell, indexed by its id: the columns of `REQUIRED`, and path, reward, judge, kind
    (of judge), untested, settings (dotted key -> text), config (the whole file) and label.

    Vanilla first, then lidar, then by label. ``folder``: a results folder, or one cell's.
    """
    one = folder / "config.yaml"
    paths = [one] if one.is_file() else sorted(folder.glob("cells/*/config.yaml"))
    paths = [path for path in paths if only is None or path.parent.name in only]
    if not paths:
        raise BenchError(f"no cells in {folder}: expected {folder}/cells/<cell>/config.yaml")
    cells = pd.DataFrame([read_cell(path) for path in paths])
    if cells.cell.duplicated().any():
        twice = cells.cell[cells.cell.duplicated()].iloc[0]
        raise BenchError(f"{folder}: the cell id {twice} is in two folders")
    cells["label"] = labels(cells)
    rank = cells.method.map({"vanilla": 0, "lidar": 1}).fillna(2)
    digits = [re.sub(r"\d+", lambda m: m[0].zfill(9), label) for label in cells.label]
    order = ["rank", "digits"]  # so that n=50 stands before n=200
    ordered = cells.assign(rank=rank, digits=digits).sort_values(order, kind="stable")
    return ordered.drop(columns=order).set_index("cell")


def read_cell(path: Path) -> dict[str, Any]:
    """A cell's row. Raises BenchError naming an absent key."""
    config = read_config(path)
    flat = leaves(config)
    row: dict[str, Any] = {column: flat.get(key) for column, key in REQUIRED.items()}
    if missing := [REQUIRED[column] for column, value in row.items() if value is None]:
        raise BenchError(f"{path}: the key {missing[0]} is missing: no cell's settings")
    row |= {"path": path.parent, "reward": flat.get("reward"), "config": config}
    row |= {"judge": flat.get("judge.name"), "kind": flat.get("judge.kind")}
    row["untested"] = str(flat.get("weights.judge")).startswith("untested")
    guiding = (config.get("rewards") or {}).get(row["reward"]) or {}
    row["settings"] = texts(config["method"]) | texts(config["backbone"], "backbone")
    row["settings"] |= texts(guiding, "reward")
    if source := (config.get("sources") or {}).get(f"rewards.{row['reward']}"):
        row["settings"][SOURCE] = str(source)  # edited, it is another reward
    if "target_scale" in config:
        row["settings"] |= {"reward": str(row["reward"]), "target_scale": flat["target_scale"]}
        row["settings"] = {key: str(value) for key, value in row["settings"].items()}
    return row


def texts(node: Any, path: str = "") -> dict[str, str]:
    """Dotted key -> value, as text, of nested settings."""
    return {key: str(value) for key, value in leaves(node, path).items()}


def said(key: str, value: Any) -> str:
    """A setting in a label, such as "n 9"."""
    return f"{key} all" if (key, str(value)) == ("particles", "None") else f"{key} {value}"


def labels(cells: pd.DataFrame) -> list[str]:
    """A distinct label a cell: the method, with the settings in which its namesakes differ; where
    none does, with what else does (`origins`), and at last with digits of its id."""
    parts: dict[Any, list[str]] = {cell: [] for cell in cells.index}

    def names() -> list[str]:
        told = {cell: f" ({', '.join(own)})" if own else "" for cell, own in parts.items()}
        return [f"{method}{told[cell]}" for cell, method in cells.method.items()]

    for columns in (settings, origins):
        for _, own in cells.groupby(names()):
            if len(own) == 1:
                continue
            table = columns(own)
            for place, column in enumerate(table):
                values = table.iloc[:, place]
                for cell, value in values.items() if values.nunique() > 1 else ():
                    parts[cell].append(said(str(column), value))
    made = pd.Series(names())
    again = made.duplicated(keep=False)
    return [
        f"{label} [{cell[-6:]}]" if twice else label
        for label, cell, twice in zip(made, cells.cell, again, strict=True)
    ]


def settings(cells: pd.DataFrame) -> pd.DataFrame:
    """What a user set of each cell, under short headings, as text."""
    table = pd.DataFrame(cells.settings.to_list(), cells.index).fillna("none")
    table = table.drop(columns=SOURCE, errors="ignore")  # `origins` has it
    table = table.rename(columns=lambda key: key.rsplit(".", 1)[-1])
    return pd.concat([table, cells[TARGET].astype(str)], axis=1)


def origins(cells: pd.DataFrame) -> pd.DataFrame:
    """What else decides a cell's result: images, prompts, code, sources from outside, weights. Of
    a digest its first digits; of prompts the file's name, where that differs."""
    table = pd.DataFrame({"images": cells.images.astype(str)}, cells.index)
    flat = pd.DataFrame([leaves(config) for config in cells.config], cells.index).astype(str)
    paths = flat.get("prompts.path", pd.Series(dtype=str)).map(lambda path: Path(path).name)
    same = paths.nunique() < 2
    chosen = flat.get("prompts.sha256") if same else paths
    if chosen is not None:
        table["prompts"] = chosen.str[:6] if same else chosen
    table["code"] = cells.code.str[:6]
    for key in flat:
        group, _, name = str(key).partition(".")
        if group in ("sources", "weights") and name not in table:
            table[name.removeprefix("rewards.")] = flat[key].str[:6]
    return table
