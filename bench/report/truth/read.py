"""Cells of each world -> tidy frames: one row a cell and problem, methods and probes apart."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.report.truth.worlds import WORLDS, World
from bench.store.cells import labels
from bench.store.frames import Frames, read
from bench.store.schema import KINDS


@dataclass(frozen=True)
class Truth:
    """Of one ``world``.

    ``cells``: one row a sampling cell, labelled. ``methods``: one row a cell and problem.
    ``probes``: one row a probing cell and problem. ``notes``: what a reader should know.
    """

    folder: Path
    world: World
    cells: pd.DataFrame
    methods: pd.DataFrame
    probes: pd.DataFrame
    notes: tuple[str, ...]


def load(folder: Path, only: Collection[str] | None = None) -> tuple[Truth, ...]:
    """Read the cells below ``folder``, of each world that there is.

    Raises BenchError where there is no cell.
    """
    frames = read(folder, only)
    kinds = frames.cells.config.map(lambda config: config["backbone"]["kind"])
    present = [world for world in WORLDS if (kinds == world.kind).any()]
    return tuple(_of(frames, world, frames.cells[kinds == world.kind]) for world in present)


def _of(frames: Frames, world: World, every: pd.DataFrame) -> Truth:
    """The ``every`` cells of a world."""
    probing = every.method == "probe"
    methods = [method_rows(frames, str(cell), world) for cell in every.index[~probing]]
    probes = [
        probe_row(row.config, info, world) | {"cell": cell}
        for cell, row in every[probing].iterrows()
        for info in frames.of(str(cell))["info"]
    ]
    cells = every[~probing].copy()
    if not cells.empty:
        cells["label"] = labels(cells.reset_index())
        other = cells.solver != cells.solver.mode().iloc[0]
        cells.loc[other, "label"] += " by " + cells.solver[other]
    rows = pd.concat(methods, ignore_index=True) if methods else pd.DataFrame()
    return Truth(frames.folder, world, cells, rows, pd.DataFrame(probes), frames.notes)


def method_rows(frames: Frames, cell: str, world: World) -> pd.DataFrame:
    """Distances over their floors, reward, spread and calls of each problem of a cell."""
    own, about = frames.of(cell).reset_index(), frames.cells.loc[cell]
    paths = frames.images[frames.images.cell == cell].set_index("index").path
    rows = own[["cell", "index", "tag", "prompt"]].assign(path=paths.reindex(own["index"]).values)
    for name in world.distances:
        if f"distance.{name}" in own:  # records of before have no modes
            rows[name] = own[f"distance.{name}"] / own[f"distance.{name}_floor"]
    for name in frames.cells.config[cell]["scores"]:
        column = "reward" if name == about.reward else f"judge.{name}"
        rows[column] = own[f"score.{name}"] - own[f"target.{name}"]
    rows["diversity"] = own.diversity / own.target_diversity
    rows["ess"] = [np.mean(info["ess"]) if info.get("ess") else np.nan for info in own["info"]]
    rows["seconds"] = own["seconds.total"]
    calls = [f"calls.{kind}" for kind in KINDS]
    rows[calls] = own[calls] / about.images
    return rows


def probe_row(config: Any, info: Any, world: World) -> dict[str, Any]:
    """One estimator against the reference on one problem: means over its trajectories."""
    reference = config["method"]["steer"]["probe"]["reference"]
    (name,) = [key for key in config["method"]["efr"] if key != reference]
    settings, found = config["method"]["efr"][name], info["probe"]
    backbone = config["backbone"]
    return {
        "estimator": name,
        "scale": settings["scale"],
        "dimension": backbone[world.size],
        "n": settings.get("n", 0),
        "steps": settings.get("steps", 0),
        "solver": settings.get("solver") or "",
        "by": settings.get("by", ""),
        "perturbations": settings.get("perturbations", 0),
        "smoothing": settings.get("smoothing", 0.0),
        "reference λ": config["method"]["efr"][reference].get("scale"),
        "reward": config["reward"],
        **{key: backbone[key] for key in OF_A_WORLD if key in backbone},
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
OF_A_WORLD = ("path", "components", "letters")
OTHERS = (
    "smoothing",
    "reward",
    *OF_A_WORLD,
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
    others = [key for key in OTHERS if key in probes]
    measures = ["value", "shift", "reference"]
    grouped = probes.groupby([*NAMED, *others], as_index=False)[measures].mean()
    grouped["shift"] = np.sqrt(grouped["shift"] / grouped["reference"])
    varying = [key for key in others if grouped[key].nunique() > 1]
    grouped["label"] = [
        ", ".join([probe_label(row), *(f"{key} {values[key]}" for key in varying)])
        for row, (_, values) in zip(grouped.itertuples(), grouped.iterrows(), strict=True)
    ]
    return grouped
