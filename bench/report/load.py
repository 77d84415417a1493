"""Cells on disk -> tidy frames: one row a cell, one a finished prompt, one an image.

Everything a reader of the report must know about what is missing is settled here: coverage, failed
prompts, skipped lines. Whatever would make a comparison meaningless (two guiding rewards, one index
with two prompts, a score that is not a number) is an error that names its file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.report import choice
from bench.report.cells import coverage, one, read_cells
from bench.report.defaults import strays
from bench.store.folder import read_records
from bench.store.schema import KINDS, PHASES

UNTESTED = "GenEval by a detector that has proved nothing (random or untested weights): no score"
GIB = 2**30
SHOWN = 3  # failures of a cell that are told one by one
JUDGED = {"geneval", "scores", "diversity"}  # what a record of judge=none lacks


@dataclass(frozen=True)
class Results:
    """A results folder, validated.

    ``cells``: indexed by cell id, vanilla first, with label, method, settings (dotted key -> text),
    config (the whole of config.yaml), and coverage: done, failed and total prompts, images_done of
    images_total; twin: repeats another's settings; strays: settings that are not its method's own.
    ``prompts``: one row a cell and finished prompt: cell, index, prompt, tag, seconds.<phase>,
    calls.<kind> (summed over phases), calls.<phase>.<kind>, yardstick.vanilla and
    yardstick.method (seconds or NaN), correct (NaN where nothing was judged), images, diversity,
    memory (peak GiB allocated, NaN on a CPU), device, batch (images together / samples a call of
    the denoiser / of the decoder), score.<name> (mean over images).
    ``images``: one row an image: cell, index, position, path, correct, reasons, score.<name>.
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
    def references(self) -> dict[str, str]:
        """Each cell's vanilla cell, that it is compared with: cell id -> cell id.

        A vanilla cell's is itself; another's the one that differs from it in the fewest settings
        outside its method (`choice.apart`), solver, steps and seed before all others; of equals the
        most complete, then the one most like all the other cells. Empty without vanilla.
        """
        cells = self.cells
        vanilla = [str(c) for c in cells.index[(cells.method == "vanilla") & (cells.done > 0)]]
        usual = {
            v: int((cells[choice.TARGET] == cells.loc[v, choice.TARGET]).sum().sum())
            for v in vanilla
        }

        def near(cell: str, v: str) -> tuple[int, ...]:
            keys = choice.apart(cells.loc[cell], cells.loc[v])
            return -len(keys & set(choice.TARGET)), -len(keys), int(cells.done[v]), usual[v]

        return {
            cell: cell if cell in usual else max(vanilla, key=lambda v: near(cell, v))
            for cell in map(str, cells.index)
            if vanilla
        }


def load(folder: Path, only: Collection[str] | None = None) -> Results:
    """Read the cells below ``folder``/cells, or ``only`` those of these names.

    Raises FileNotFoundError if there is none.
    """
    cells = read_cells(folder, only)
    backbone, reward = one(cells, "backbone", folder), one(cells, "reward", folder)
    if cells.judge.nunique(dropna=False) > 1:
        one(cells.fillna({"judge": "unknown"}), "judge", folder)
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
    cells["twin"], cells["strays"] = choice.twins(cells), strays(cells)
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
    sizes = prompts.groupby("cell").batch.unique()
    if len({size for own in sizes for size in own if size}) > 1:
        notes.append(
            "not all prompts were sampled in batches of one size (memory ran out, or the setting "
            "differs): "
            + "; ".join(f"{cells.label[c]} {', '.join(sorted(own))}" for c, own in sizes.items())
        )
    if cells.code.nunique() > 1:
        notes.append("the cells were made by different versions of the code (see provenance)")
    return Results(folder, cells, prompts, images, reward, scores, tuple(notes))


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
        broken = [record for record in records if record.get("error")]
        failed.append(len(broken))
        for record in broken[:SHOWN]:
            notes.append(f"{row.label}: prompt {record['index']} failed: {record['error']}")
        if len(broken) > SHOWN:
            notes.append(f"{row.label}: and {len(broken) - SHOWN} failed prompts more")
        for record in finished:
            own, pictures = flatten(record, f"{path}, prompt {record['index']}")
            prompts.append({"cell": cell, **own})
            for picture in pictures:
                at = row.path / "images" / picture["path"]
                images.append({"cell": cell, **picture, "path": at})
    cells["failed"] = failed
    return pd.DataFrame(prompts), pd.DataFrame(images), notes


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
        held = (record.get("memory") or {}).get("allocated")
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
    row["memory"] = np.nan if held is None else held / GIB
    row["device"] = record.get("device", "unknown")
    row["batch"] = " / ".join(str(size) for size in (record.get("batch") or {}).values())
    row |= {f"score.{name}": float(np.mean(values)) for name, values in scores.items()}
    reasons = full.get("reasons") or [[]] * len(paths)
    pictures = [
        {
            "index": record["index"],
            "position": i,
            "path": path,
            "correct": correct[i] and bool(correct[i]),
            "reasons": "; ".join(reasons[i]),
        }
        | {f"score.{name}": values[i] for name, values in scores.items()}
        for i, path in enumerate(paths)
    ]
    return row, pictures


def _unjudged(record: dict[str, Any]) -> dict[str, Any]:
    """The judging part of a record of judge=none: nothing is known of its images."""
    return {"geneval": [None] * len(record["images"]), "scores": {}, "diversity": None}


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
