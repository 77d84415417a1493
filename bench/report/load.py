"""Cells on disk -> tidy frames: one row a cell, one a finished prompt, one an image.

Everything a reader of the report must know about what is missing is settled here: coverage, failed
prompts, skipped lines. Whatever would make a comparison meaningless (two guiding rewards, one index
with two prompts, a score that is not a number) is an error that names its file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import OmegaConf

from bench.schema import KINDS, PHASES
from bench.store import read_records

UNTESTED = "GenEval by a detector that has proved nothing (random or untested weights): no score"
SETTINGS = ("seed", "steps", "solver")  # what tells apart two cells of one method
JUDGED = {"geneval", "scores", "diversity"}  # what a record of judge=none lacks
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


@dataclass(frozen=True)
class Results:
    """A results folder, validated.

    ``cells``: indexed by cell id, vanilla first, with label, method, settings, and coverage: done,
    failed and total prompts, images_done of images_total.
    ``prompts``: one row a cell and finished prompt: cell, index, prompt, tag, seconds.<phase>,
    calls.<kind> (summed over phases), calls.<phase>.<kind>, yardstick.vanilla and
    yardstick.method (seconds or NaN), correct (NaN where nothing was judged), images, diversity,
    score.<name> (mean over images).
    ``images``: one row an image: cell, index, position, path, correct, score.<name>.
    ``scores``: names of the rewards, the guiding one first. ``notes``: what a reader should know.
    """

    folder: Path
    cells: pd.DataFrame
    prompts: pd.DataFrame
    images: pd.DataFrame
    reward: str
    scores: tuple[str, ...]
    notes: tuple[str, ...]

    def of(self, cell: str) -> pd.DataFrame:
        """The finished prompts of one cell, indexed by prompt index in ascending order."""
        return self.prompts[self.prompts.cell == cell].set_index("index").sort_index()

    @property
    def reference(self) -> str | None:
        """The vanilla cell that others are compared with: the one most like the other cells."""
        vanilla = self.cells[self.cells.method == "vanilla"]
        if vanilla.empty:
            return None
        settings = self.cells[["seed", "steps", "solver"]]
        alike = {cell: (settings == settings.loc[cell]).sum().sum() for cell in vanilla.index}
        return str(max(alike, key=alike.__getitem__))


def load(folder: Path, only: Collection[str] | None = None) -> Results:
    """Read the cells below ``folder``/cells, or ``only`` those of these names.

    Raises FileNotFoundError if there is none.
    """
    cells = read_cells(folder, only)
    backbone, reward = _one(cells, "backbone", folder), _one(cells, "reward", folder)
    if cells.judge.nunique(dropna=False) > 1:
        _one(cells.fillna({"judge": "unknown"}), "judge", folder)
    prompts, images, notes = read_prompts(cells)
    if prompts.empty:
        raise ValueError(f"{folder}: {len(cells)} cells, but no prompt is finished in any of them")
    if unjudged := bool(prompts.correct.isna().all()):
        prompts[f"score.{reward}"] = np.nan
    untested = cells.index[cells.untested]
    for frame, columns in ((prompts, ["correct", "diversity"]), (images, ["correct"])):
        frame[columns] = frame[columns].mask(frame.cell.isin(untested))
    if f"score.{reward}" not in prompts:
        raise ValueError(f"{folder}: no record has a score of the guiding reward {reward!r}")
    _same_prompts(prompts, folder)

    cells["done"] = prompts.groupby("cell").size().reindex(cells.index, fill_value=0)
    cells["images_done"] = images.groupby("cell").size().reindex(cells.index, fill_value=0)
    cells["images_total"] = cells.images * cells.total
    over = cells[(cells.done > cells.total) | (cells.images_done > cells.images_total)]
    if not over.empty:
        raise ValueError(f"{over.path.iloc[0]}: more prompts or images than the config asks for")
    cells["coverage"] = [coverage(row) for row in cells.itertuples()]

    judges = {c.removeprefix("score.") for c in prompts if c.startswith("score.")} - {reward}
    scores = (reward, *sorted(judges))
    notes = [f"backbone {backbone}, guiding reward {reward}", *notes]
    if unjudged:
        notes.append("nothing was judged (judge=none): costs alone")
    notes += [f"{row.label}: {UNTESTED}" for row in cells.itertuples() if row.untested]
    notes += [f"{row.label}: {row.coverage}" for row in cells.itertuples() if row.coverage]
    notes += _missing_tasks(cells, prompts)
    notes += [] if unjudged else _missing_scores(cells, prompts, scores)
    if cells.code.nunique() > 1:
        notes.append("the cells were made by different versions of the code (see provenance)")
    return Results(folder, cells, prompts, images, reward, scores, tuple(notes))


def read_cells(folder: Path, only: Collection[str] | None = None) -> pd.DataFrame:
    """One row a cell, indexed by its id, labelled; vanilla first, then lidar, then by label."""
    paths = sorted(folder.glob("cells/*/config.yaml"))
    if only is not None:
        paths = [path for path in paths if path.parent.name in only]
    if not paths:
        raise FileNotFoundError(f"no cells in {folder}: expected {folder}/cells/<cell>/config.yaml")
    cells = pd.DataFrame([read_config(path) for path in paths])
    if cells.cell.duplicated().any():
        twice = cells.cell[cells.cell.duplicated()].iloc[0]
        raise ValueError(f"{folder}: the cell id {twice} is in two folders")
    cells["label"] = labels(cells)
    first = {"vanilla": 0, "lidar": 1}
    cells["rank"] = [first.get(method, 2) for method in cells.method]
    cells["digits"] = [re.sub(r"\d+", lambda m: m[0].zfill(9), label) for label in cells.label]
    order = ["rank", "digits"]  # so that n=50 stands before n=200
    return cells.sort_values(order, kind="stable").drop(columns=order).set_index("cell")


def read_prompts(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The frames ``prompts`` and ``images`` of `Results`, and notes; counts failures in cells."""
    prompts: list[dict[str, Any]] = []
    images: list[dict[str, Any]] = []
    notes: list[str] = []
    failed = []
    for cell, row in cells.iterrows():
        path = row.path / "records.jsonl"
        by_index, torn = read_records(path)
        records = list(by_index.values())
        if torn:
            notes.append(f"{row.label}: the last line of records.jsonl is torn, skipped")
        finished = [record for record in records if not record.get("error")]
        failed.append(len(records) - len(finished))
        for record in finished:
            own, pictures = flatten(record, f"{path}, prompt {record['index']}")
            prompts.append({"cell": cell, **own})
            for picture in pictures:
                at = row.path / "images" / picture["path"]
                images.append({"cell": cell, **picture, "path": at})
    cells["failed"] = failed
    return pd.DataFrame(prompts), pd.DataFrame(images), notes


def read_config(path: Path) -> dict[str, Any]:
    """What the report needs of a cell's config.yaml. Raises ValueError naming an absent key."""
    config = OmegaConf.load(path)
    row: dict[str, Any] = {"path": path.parent}
    for column, key in REQUIRED:
        row[column] = OmegaConf.select(config, key)
        if row[column] is None:
            raise ValueError(f"{path}: the key {key} is missing")
    row["reward"] = OmegaConf.select(config, "reward")
    row["judge"] = OmegaConf.select(config, "judge.name")
    row["untested"] = str(OmegaConf.select(config, "weights.judge")).startswith("untested")
    row["settings"] = leaves(OmegaConf.to_container(config.method))
    row["settings"] |= leaves(OmegaConf.to_container(config.backbone), "backbone")
    return row


def leaves(node: Any, path: str = "") -> dict[str, str]:
    """Dotted key -> value, as text, of nested settings."""
    if not isinstance(node, dict):
        return {path: str(node)}
    below = [leaves(value, f"{path}.{key}" if path else key) for key, value in node.items()]
    return {key: value for part in below for key, value in part.items()}


def flatten(record: dict[str, Any], where: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One finished record -> its row of ``prompts`` and its rows of ``images``."""
    try:
        judged = JUDGED & set(record)
        full = record if judged else record | _unjudged(record)
        paths, correct, scores = full["images"], full["geneval"], full["scores"]
        row = {key: record[key] for key in ("index", "prompt", "tag")}
        row |= {f"seconds.{p}": record["seconds"][p] for p in (*PHASES, "total")}
        calls = {f"calls.{p}.{k}": record["calls"][p][k] for p in PHASES for k in KINDS}
        row |= {f"calls.{k}": sum(calls[f"calls.{p}.{k}"] for p in PHASES) for k in KINDS} | calls
        timed = record["yardstick"] or {"vanilla": np.nan, "method": np.nan}
        row |= {f"yardstick.{side}": timed[side] for side in ("vanilla", "method")}
        diversity = full["diversity"]
    except (KeyError, TypeError) as error:
        raise ValueError(f"{where}: missing or malformed field {error}") from None
    if record["yardstick"] and not all(0 < seconds < np.inf for seconds in timed.values()):
        raise ValueError(f"{where}: yardstick seconds must be positive, got {timed}")
    lengths = {"geneval": len(correct)} | {name: len(v) for name, v in scores.items()}
    if not paths or any(length != len(paths) for length in lengths.values()):
        raise ValueError(f"{where}: {len(paths)} images, but values for {lengths}")
    for name, values in scores.items():
        if not all(isinstance(v, int | float) and np.isfinite(v) for v in values):
            raise ValueError(f"{where}: the scores {name} hold something that is not a number")
    row |= {"correct": sum(map(bool, correct)) if judged else np.nan, "images": len(paths)}
    row["diversity"] = np.nan if diversity is None else diversity
    row |= {f"score.{name}": float(np.mean(values)) for name, values in scores.items()}
    pictures = [
        {
            "index": record["index"],
            "position": i,
            "path": path,
            "correct": correct[i] and bool(correct[i]),
        }
        | {f"score.{name}": values[i] for name, values in scores.items()}
        for i, path in enumerate(paths)
    ]
    return row, pictures


def _unjudged(record: dict[str, Any]) -> dict[str, Any]:
    """The judging part of a record of judge=none: nothing is known of its images."""
    return {"geneval": [None] * len(record["images"]), "scores": {}, "diversity": None}


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
        own += [f"{c} {getattr(row, c)}" for c in SETTINGS if namesakes[c].nunique() > 1]
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


def _one(cells: pd.DataFrame, column: str, folder: Path) -> str:
    found = sorted(set(cells[column].dropna()))
    if len(found) != 1:
        raise ValueError(
            f"{folder} holds cells of {len(found)} different values of {column} ({found}); "
            "a report compares methods on one backbone with one guiding reward: split the folder"
        )
    return str(found[0])


def _same_prompts(prompts: pd.DataFrame, folder: Path) -> None:
    kinds = prompts.groupby("index")[["prompt", "tag"]].nunique().max(axis=1)
    if (kinds > 1).any():
        raise ValueError(f"{folder}: prompt {kinds.idxmax()} is not the same text in every cell")


def _missing_tasks(cells: pd.DataFrame, prompts: pd.DataFrame) -> Iterable[str]:
    every = set(prompts.tag)
    for cell, own in prompts.groupby("cell").tag:
        if lacking := sorted(every - set(own)):
            names = ", ".join(lacking)
            yield f"{cells.label[cell]}: no prompt of {names}; its GenEval leaves them out"


def _missing_scores(
    cells: pd.DataFrame, prompts: pd.DataFrame, scores: Iterable[str]
) -> Iterable[str]:
    for name in scores:
        gaps = prompts[prompts[f"score.{name}"].isna()].groupby("cell").size()
        for cell, count in gaps.items():
            yield f"{cells.label[cell]}: no {name} score on {count} of its prompts"
