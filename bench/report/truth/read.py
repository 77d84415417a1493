"""Cells on the mixture -> tidy frames: one row a cell and problem, methods and probes apart."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.report.cells import coverage, labels, read_cells
from bench.store.folder import read_records
from bench.store.schema import KINDS, PHASES


@dataclass(frozen=True)
class Truth:
    """``cells``: one row a sampling cell, labelled. ``methods``: one row a cell and problem.
    ``probes``: one row a probing cell and problem. ``notes``: what a reader should know."""

    folder: Path
    cells: pd.DataFrame
    methods: pd.DataFrame
    probes: pd.DataFrame
    notes: tuple[str, ...]


def load(folder: Path, only: Collection[str] | None = None) -> Truth:
    """Read the cells below ``folder``. Raises FileNotFoundError where there is none."""
    cells = read_cells(folder, only)
    cells["probe"] = cells.method == "probe"
    methods: list[dict[str, Any]] = []
    probes: list[dict[str, Any]] = []
    done, failed, notes = [], [], []
    for cell, row in cells.iterrows():
        config = row.config
        row.settings["reward"] = config["reward"]
        row.settings["target_scale"] = str(config["target_scale"])
        records, torn = read_records(row.path / "records.jsonl")
        if torn:
            notes.append(f"{row.label}: the last line of records.jsonl is torn, skipped")
        good = [r for r in records.values() if not r.get("error")]
        done.append(len(good))
        failed.append(len(records) - len(good))
        for record in good:
            base = {"cell": cell, "index": record["index"], "tag": record["tag"]}
            if row.probe:
                probes.append(base | probe_row(config, record))
            else:
                methods.append(base | method_row(config, record))
    cells["done"], cells["failed"] = done, failed
    cells["images_done"] = cells.images * cells.done
    cells["images_total"] = cells.images * cells.total
    cells["coverage"] = [coverage(row) for row in cells.itertuples()]
    notes += [f"{row.label}: {row.coverage}" for row in cells.itertuples() if row.coverage]
    sampling = cells[~cells.probe].copy()
    if not sampling.empty:
        sampling["label"] = labels(sampling.reset_index())
        usual = sampling.solver.mode().iloc[0]
        other = sampling.solver != usual
        sampling.loc[other, "label"] += " by " + sampling.solver[other]
    return Truth(folder, sampling, pd.DataFrame(methods), pd.DataFrame(probes), tuple(notes))


def method_row(config: Any, record: dict[str, Any]) -> dict[str, Any]:
    """Distances over their floors, reward, spread and calls of one problem."""
    distance, guided = record["distance"], config["reward"]
    calls = {k: sum(record["calls"][p][k] for p in PHASES) for k in KINDS}
    images = config["images"]
    ess = record["info"].get("ess")
    judges = [name for name in record["target"] if name != guided]
    return {
        "prompt": record["prompt"],
        "path": record["images"][0],
        "w2": distance["w2"] / distance["w2_floor"],
        "mmd": distance["mmd"] / distance["mmd_floor"],
        "reward": float(np.mean(record["scores"][guided])) - record["target"][guided],
        **{f"judge.{n}": float(np.mean(record["scores"][n])) - record["target"][n] for n in judges},
        "diversity": record["diversity"] / record["target_diversity"],
        "ess": float(np.mean(ess)) if ess else np.nan,
        "seconds": record["seconds"]["total"],
        **{f"calls.{kind}": count / images for kind, count in calls.items()},
    }


def probe_row(config: Any, record: dict[str, Any]) -> dict[str, Any]:
    """One estimator against the reference on one problem: means over its trajectories."""
    reference = config["method"]["steer"]["probe"]["reference"]
    (name,) = [key for key in config["method"]["efr"] if key != reference]
    settings, found = config["method"]["efr"][name], record["info"]["probe"]
    backbone = config["backbone"]
    return {
        "index": record["index"],
        "estimator": name,
        "scale": settings["scale"],
        "dimension": backbone["dimension"],
        "n": settings.get("n", 0),
        "steps": settings.get("steps", 0),
        "solver": settings.get("solver", ""),
        "by": settings.get("by", ""),
        "perturbations": settings.get("perturbations", 0),
        "smoothing": settings.get("smoothing", 0.0),
        "reference λ": config["method"]["efr"][reference].get("scale"),
        "reward": config["reward"],
        "path": backbone["path"],
        "components": backbone["components"],
        "target steps": config["steps"],
        "target solver": config["solver"],
        "interval": str(config["method"]["steer"]["probe"]["interval"]),
        "seed": config["seed"],
        "value": float(np.mean(found["value"][name])),
        "shift": float(np.mean(found["shift"][name])),
        "reference": float(np.mean(found["reference"])),
        "trajectories": len(found["reference"]),
    }


NAMED = ("estimator", "by", "solver", "perturbations", "steps", "n", "scale", "dimension")
OTHERS = (
    "smoothing",
    "reward",
    "path",
    "components",
    "target steps",
    "target solver",
    "interval",
    "seed",
    "trajectories",
)


def probe_label(row: Any) -> str:
    """An estimator with its settings but λ, in a few words."""
    if row.estimator == "lookahead":
        return f"lookahead (n = {row.n}, {row.solver} in {row.steps} steps)"
    if row.estimator == "rollout" and row.by == "exact":
        return f"rollout (n = {row.n}, exact posterior samples)"
    if row.estimator == "rollout":
        return f"rollout (n = {row.n}, {row.by} in {row.steps} steps)"
    if row.perturbations:
        return f"{row.estimator} ({row.perturbations} perturbations)"
    return str(row.estimator)


def probed(probes: pd.DataFrame) -> pd.DataFrame:
    """One row an estimator setting and λ, over its problems.

    value: mean over trajectories of Σ_t (V − V̂)²; shift: √(Σ‖Δ − Δ̂‖² / Σ‖Δ‖²).
    """
    if probes.empty:
        return probes
    apart = probes["scale"] != probes["reference λ"]
    if apart.any():
        raise ValueError(
            f"a probe of {probes.estimator[apart].iloc[0]} has another λ than its reference: set "
            "target_scale, which both follow"
        )
    measures = ["value", "shift", "reference"]
    grouped = probes.groupby([*NAMED, *OTHERS], as_index=False)[measures].mean()
    grouped["shift"] = np.sqrt(grouped["shift"] / grouped["reference"])
    varying = [key for key in OTHERS if grouped[key].nunique() > 1]
    grouped["label"] = [
        ", ".join([probe_label(row), *(f"{key} {values[key]}" for key in varying)])
        for row, (_, values) in zip(grouped.itertuples(), grouped.iterrows(), strict=True)
    ]
    return grouped
