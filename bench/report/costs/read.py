"""Cells on disk -> what each costs: one row a cell, means over its prompts."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.report.cells import read_cells
from bench.report.lidar.published import published
from bench.store.folder import read_records
from bench.store.schema import KINDS, PHASES

GIB = 2**30


def load(folder: Path, only: Collection[str] | None = None) -> tuple[pd.DataFrame, list[str]]:
    """One row a cell that has a finished prompt, labelled, vanilla first; and notes.

    seconds, seconds.<phase>: means over prompts; ratio: Σ method over Σ vanilla on the prompts that
    both were timed on, ratio.low and ratio.high the lowest and highest prompt; memory.<what>: the
    highest, in GiB; calls.<kind>; batch as text; score.<name> and diversity, where they were
    recorded, means over prompts; published.<what>. Raises FileNotFoundError where there is no cell.
    """
    cells = read_cells(folder, only)
    rows, notes = [], []
    for cell, row in cells.iterrows():
        records, torn = read_records(row.path / "records.jsonl")
        if torn:
            notes.append(f"{row.label}: the last line of records.jsonl is torn, skipped")
        good = [r for r in records.values() if not r.get("error")]
        for record in records.values():
            if record.get("error"):
                notes.append(f"{row.label}: prompt {record['index']} failed: {record['error']}")
        if len(good) < row.total:
            notes.append(f"{row.label}: partial: {len(good)} of {row.total} prompts")
        if good:
            base = {"cell": cell, "label": row.label, "method": row.method, "prompts": len(good)}
            rows.append(base | cost_row(row.config, good))
    return pd.DataFrame(rows), notes


def cost_row(settings: dict[str, Any], records: list[dict[str, Any]]) -> dict[str, Any]:
    """A cell's costs from its settings and finished records."""

    def mean(values: list[float]) -> float:
        return float(np.mean(values)) if values else np.nan

    found: dict[str, Any] = {"backbone": settings["backbone"]["name"]}
    found["weights"] = settings["backbone"].get("weights") or "packaged"
    found["solver"], found["steps"] = settings["solver"], settings["steps"]
    found["device"] = ", ".join(sorted({r["device"] for r in records}))
    found["seconds"] = mean([r["seconds"]["total"] for r in records])
    for phase in PHASES:
        found[f"seconds.{phase}"] = mean([r["seconds"][phase] for r in records])
    pairs = [r["yardstick"] for r in records if r["yardstick"]]
    ratios = [p["method"] / p["vanilla"] for p in pairs]
    spent = sum(p["method"] for p in pairs), sum(p["vanilla"] for p in pairs)
    found["ratio"] = spent[0] / spent[1] if pairs else np.nan
    found["ratio.low"], found["ratio.high"] = (
        (min(ratios), max(ratios)) if pairs else (np.nan, np.nan)
    )
    for kind in ("allocated", "reserved", "resident"):
        held = [r["memory"][kind] / GIB for r in records if r["memory"]]
        found[f"memory.{kind}"] = max(held) if held else np.nan
    for kind in KINDS:
        found[f"calls.{kind}"] = mean([sum(r["calls"][p][kind] for p in PHASES) for r in records])
    batches = {tuple(r["batch"].values()) for r in records}
    found["batch"] = "; ".join(" / ".join(map(_text, b)) for b in sorted(batches, key=str))
    for name in dict.fromkeys(name for r in records for name in r.get("scores", {})):
        found[f"score.{name}"] = mean([mean(r["scores"][name]) for r in records])
    spreads = [r["diversity"] for r in records if r.get("diversity") is not None]
    found["diversity"] = mean(spreads)
    paper = published(settings)
    found["published.seconds"] = paper.seconds if paper else np.nan
    found["published.ratio"] = paper.ratio if paper else np.nan
    found["published.memory"] = paper.memory if paper and paper.memory else np.nan
    return found


def _text(value: int | None) -> str:
    return "–" if value is None else str(value)
