"""A results folder as data frames: one row a cell, one a finished prompt, one an image."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.store.cells import read_cells
from bench.store.records import read_records
from bench.store.schema import KINDS, PHASES, Record

GIB = 2**30
MAPPINGS = (
    ("distance", "distance"),
    ("strings", "strings"),
    ("target", "target"),
    ("fields", "field"),
)
SHOWN = 3  # failures of a cell that are told one by one


@dataclass(frozen=True)
class Frames:
    """``cells``: as `read_cells`, and done, failed, images_done, images_total, coverage ("" where
    nothing is missing).
    ``prompts``: cell, index, prompt, tag, seconds.<phase> and seconds.total (NaN where lookahead
    samples were reused), calls.<kind> (over all phases), calls.<phase>.<kind>, passes and flops
    (NaN where not counted), yardstick.vanilla and yardstick.method (NaN where not timed), images,
    correct (how many; NaN where nothing was judged), strict and distinct (how many; NaN without a
    detector), distinct_share and clutter (shares of the images: distinct ones, those with
    detections beyond what was asked for), diversity, doubt and score.<name> (means over images),
    memory.allocated, memory.target, memory.resident, memory.vanilla and memory.reserved (GiB, as in
    the record; NaN where not counted), device, torch, batch (images together / most samples a call
    of the denoiser / of the decoder), field.<name> of the prompt's metadata; on the mixture also
    distance.<name>, target.<score>, target_diversity, info.
    ``images``: cell, index, position, path (below the cell's images), correct, reasons,
    detections, strict, doubt, extras (detections beyond those asked for), extras.asked (those of
    classes asked for), score.<name>.
    ``notes``: what a reader should know, a sentence each.
    """

    folder: Path
    cells: pd.DataFrame
    prompts: pd.DataFrame
    images: pd.DataFrame
    notes: tuple[str, ...]

    @cached_property
    def by_cell(self) -> dict[str, pd.DataFrame]:
        """Each cell's finished prompts, indexed by prompt index in ascending order."""
        found = {str(cell): own for cell, own in self.prompts.groupby("cell", sort=False)}
        none = self.prompts.head(0)
        return {
            cell: found.get(cell, none).set_index("index").sort_index() for cell in self.cells.index
        }

    def of(self, cell: str) -> pd.DataFrame:
        return self.by_cell[cell]


def read(folder: Path, only: Collection[str] | None = None) -> Frames:
    """The cells of a results folder, or ``only`` those of these names.

    Raises BenchError where there is none, and for a file that is damaged or was changed.
    """
    cells = read_cells(folder, only)
    prompts, images, notes = [], [], []
    unsealed = int(sum("seal" not in config for config in cells.config))
    failed = []
    for cell, row in cells.iterrows():
        records = read_records(row.path / "records.jsonl")
        unsealed += records.unsealed
        if records.torn:
            notes.append(f"{row.label}: the last line of records.jsonl is torn, skipped")
        broken = [record for record in records if record.error is not None]
        failed.append(len(broken))
        notes += [f"{row.label}: prompt {r.index} failed: {r.error}" for r in broken[:SHOWN]]
        if len(broken) > SHOWN:
            notes.append(f"{row.label}: and {len(broken) - SHOWN} failed prompts more")
        finished = list(records.finished.values())
        rows = prompt_rows(finished).assign(cell=cell)
        prompts.append(rows.assign(flops=flops(rows, row.config.get("flops"))))
        images.append(image_rows(finished).assign(cell=cell))
    if unsealed:
        notes.append(
            f"records or settings without a seal: {unsealed}; an earlier version wrote them, and "
            "nothing tells whether they were changed since"
        )
    cells["failed"] = failed
    cells["done"] = [len(own) for own in prompts]
    cells["images_done"] = [int(own.images.sum()) for own in prompts]
    cells["images_total"] = cells.images * cells.total
    over = cells[(cells.done > cells.total) | (cells.images_done > cells.images_total)]
    if not over.empty:
        raise ValueError(f"{over.path.iloc[0]}: more prompts or images than the config asks for")
    cells["coverage"] = [coverage(row) for row in cells.itertuples()]
    notes += [f"{row.label}: {row.coverage}" for row in cells.itertuples() if row.coverage]
    return Frames(folder, cells, stacked(prompts), stacked(images), tuple(notes))


def flops(prompts: pd.DataFrame, each: Mapping[str, int] | None) -> pd.Series:
    """Floating-point operations of each prompt: its calls times those of one sample, by kind. NaN
    where what was called was not counted."""
    if each is None:
        return pd.Series(np.nan, prompts.index)
    total = pd.Series(0.0, prompts.index)
    for kind in KINDS:
        calls = prompts[f"calls.{kind}"]
        total += (calls * each.get(kind, np.nan)).where(calls > 0, 0.0)
    return total


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One frame of all; those without rows decide no column's type."""
    full = [frame for frame in frames if len(frame)] or frames[:1]
    return pd.concat(full, ignore_index=True)


def coverage(cell: Any) -> str:
    """ "" for a complete cell, else what is missing of it, in words."""
    if cell.done < cell.total:
        failures = f" ({cell.failed} failed)" if cell.failed else ""
        return f"partial: {cell.done} of {cell.total} prompts{failures}"
    if cell.images_done < cell.images_total:
        return f"partial: {cell.images_done} of {cell.images_total} images"
    return ""


def prompt_rows(records: Sequence[Record]) -> pd.DataFrame:
    """Finished records -> the frame ``prompts`` of `Frames`, without its cell."""

    def names(key: str) -> list[str]:
        """Names that the mapping ``key`` has in any of the records."""
        return list(dict.fromkeys(name for r in records for name in getattr(r, key) or ()))

    columns: dict[str, Any] = {
        key: [getattr(r, key) for r in records]
        for key in ("index", "prompt", "tag", "device", "torch")
    }
    for phase in (*PHASES, "total"):
        columns[f"seconds.{phase}"] = [
            np.nan if r.reused else (r.seconds or {})[phase] for r in records
        ]
    kinds = itemgetter(*KINDS)
    counts = [[kinds((r.calls or {})[phase]) for phase in PHASES] for r in records]
    calls = np.array(counts, dtype=int).reshape(-1, len(PHASES), len(KINDS))
    columns |= {f"calls.{kind}": calls.sum(axis=1)[:, k] for k, kind in enumerate(KINDS)}
    columns |= {
        f"calls.{phase}.{kind}": calls[:, p, k]
        for p, phase in enumerate(PHASES)
        for k, kind in enumerate(KINDS)
    }
    columns["passes"] = [np.nan if r.passes is None else sum(r.passes.values()) for r in records]
    held = ("allocated", "target", "resident", "vanilla", "reserved")
    for key, sides in (("yardstick", ("vanilla", "method")), ("memory", held)):
        for side in sides:
            values = [(getattr(r, key) or {}).get(side, np.nan) for r in records]
            columns[f"{key}.{side}"] = np.array(values, float) / (GIB if key == "memory" else 1)
    columns["batch"] = [" / ".join(_told(v) for v in (r.batch or {}).values()) for r in records]
    columns["images"] = [
        len((r.scores and next(iter(r.scores.values()))) or r.images) for r in records
    ]
    columns["correct"] = [np.nan if r.geneval is None else sum(map(bool, r.geneval))
                          for r in records]  # fmt: skip
    strict = [np.nan if r.strict is None else sum(map(bool, r.strict)) for r in records]
    crowded = [np.nan if r.beyond is None else np.mean([n > 0 for n in r.beyond]) for r in records]
    columns |= {"strict": np.array(strict, float), "clutter": np.array(crowded, float)}
    columns["doubt"] = [np.nan if r.doubt is None else np.mean(r.doubt) for r in records]
    for key in ("distinct", "diversity", "target_diversity"):
        columns[key] = np.array([getattr(r, key) for r in records], float)
    columns["distinct_share"] = columns["distinct"] / np.array(columns["images"], float)
    for name in names("scores"):
        values = [(r.scores or {}).get(name) for r in records]
        columns[f"score.{name}"] = [sum(v) / len(v) if v else np.nan for v in values]
    for key, prefix in MAPPINGS:
        for name in names(key):
            columns[f"{prefix}.{name}"] = [(getattr(r, key) or {}).get(name) for r in records]
    columns["info"] = [r.info if r.distance else None for r in records]
    return pd.DataFrame(columns)


def image_rows(records: Sequence[Record]) -> pd.DataFrame:
    """Finished records -> the frame ``images`` of `Frames`, without its cell."""
    counts = [len(r.images) for r in records]
    unjudged: list[Any] = [None]
    columns: dict[str, Any] = {
        "index": np.repeat([r.index for r in records], counts) if records else [],
        "position": [position for count in counts for position in range(count)],
        "path": [path for r in records for path in r.images],
        "correct": [mark for r in records for mark in r.geneval or unjudged * len(r.images)],
        "reasons": ["; ".join(own) for r in records for own in r.reasons or [()] * len(r.images)],
        "detections": [own for r in records for own in r.detections or unjudged * len(r.images)],
        "strict": [mark for r in records for mark in r.strict or unjudged * len(r.images)],
        "doubt": [value for r in records for value in r.doubt or unjudged * len(r.images)],
        "extras": [count for r in records for count in r.beyond or unjudged * len(r.images)],
        "extras.asked": [
            count
            for r in records
            for count in (r.extras or {}).get("asked") or unjudged * len(r.images)
        ],
    }
    names = dict.fromkeys(name for r in records for name in r.scores or ())
    whole = not any(r.bundled for r in records)  # else a file holds many points
    for name in names if whole else ():
        columns[f"score.{name}"] = [
            value
            for r in records
            for value in (r.scores or {}).get(name) or [np.nan] * len(r.images)
        ]
    return pd.DataFrame(columns)


def _told(value: int | None) -> str:
    return "–" if value is None else str(value)
