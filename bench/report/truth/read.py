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

PERFECT = "a perfect sampler"  # a label: one more set of exact samples of each problem
PROBLEM = ["size", "form", "prompt"]  # what tells two problems apart
LEAST = 1e-6  # records round to it; a distance of 0 has no logarithm


@dataclass(frozen=True)
class Truth:
    """Of one ``world``.

    ``cells``: one row a sampling cell; its label is that of its setting, which cells that differ in
    nothing but their problems share. ``methods``: one row a setting and problem, `PERFECT` among
    the settings. ``probes``: one row a probing cell and problem. ``notes``: what a reader should
    know.
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
    probes = [
        probe_row(row.config, own.info, world)
        | {"cell": cell, "problem": own.prompt, "tag": own.tag}
        for cell, row in every[probing].iterrows()
        for own in frames.of(str(cell)).itertuples()
    ]
    cells = every[~probing].copy()
    rows = pd.DataFrame()
    if not cells.empty:
        cells["label"] = shared_labels(cells, world)
        methods = [method_rows(frames, str(cell), world) for cell in cells.index]
        rows = pd.concat([own for own in methods if len(own)] or methods[:1], ignore_index=True)
        rows = rows.join(cells[["label", "method"]], on="cell")
        rows = rows.drop_duplicates(["label", *PROBLEM])
        rows["gap"] = rows.reward / shortfall(rows)
        rows = pd.concat([rows, perfect(rows, world)], ignore_index=True)
    return Truth(frames.folder, world, cells, rows, pd.DataFrame(probes), frames.notes)


def shared_labels(cells: pd.DataFrame, world: World) -> list[str]:
    """The label of each cell's setting: the size of the problems is none."""
    size = f"backbone.{world.size}"
    bare = cells.assign(
        settings=[{k: v for k, v in own.items() if k != size} for own in cells.settings]
    )
    about = ["method", "solver", "steps", "seed", "images", "code"]
    bare["alike"] = [
        str([sorted(row.settings.items()), *(getattr(row, key) for key in about)])
        for row in bare.itertuples()
    ]
    first = bare.drop_duplicates("alike").reset_index()
    first["label"] = labels(first)
    other = first.solver != cells.solver.mode().iloc[0]
    first.loc[other, "label"] += " by " + first.solver[other]
    return list(bare.alike.map(first.set_index("alike").label))


def method_rows(frames: Frames, cell: str, world: World) -> pd.DataFrame:
    """Distances over their floors, reward, spread and calls of each problem of a cell."""
    own, about = frames.of(cell).reset_index(), frames.cells.loc[cell]
    paths = frames.images[frames.images.cell == cell].set_index("index").path
    rows = own[["cell", "index", "tag", "prompt"]].assign(path=paths.reindex(own["index"]).values)
    rows = rows.assign(size=about.config["backbone"][world.size], form=about.reward)
    for name in world.distances:
        for end in ("", "_perfect"):
            if (column := f"distance.{name}{end}") in own:  # older records have fewer
                rows[name + end] = own[column].clip(lower=LEAST) / own[f"distance.{name}_floor"]
    for name in about.config["scores"]:
        column = "reward" if name == about.reward else f"judge.{name}"
        rows[column] = own[f"score.{name}"] - own[f"target.{name}"]
    rows["diversity"] = own.diversity / own.target_diversity
    rows["ess"] = [np.mean(info["ess"]) if info.get("ess") else np.nan for info in own["info"]]
    rows["seconds"] = own["seconds.total"]
    calls = [f"calls.{kind}" for kind in KINDS]
    rows[calls] = own[calls] / about.images
    return rows


def shortfall(rows: pd.DataFrame) -> Any:
    """By how much vanilla's reward differs from the target's on each row's problem; NaN where it
    was not run."""
    vanilla = rows[rows.method == "vanilla"].drop_duplicates(PROBLEM).set_index(PROBLEM).reward
    return vanilla.abs().reindex(pd.MultiIndex.from_frame(rows[PROBLEM])).to_numpy()


def perfect(rows: pd.DataFrame, world: World) -> pd.DataFrame:
    """A row for each problem: what a perfect sampler gets there. None of older records."""
    known = [name for name in world.distances if f"{name}_perfect" in rows]
    once = rows.drop_duplicates(PROBLEM)
    once = once[once[f"{world.main}_perfect"].notna()] if world.main in known else once.head(0)
    found = once[[*PROBLEM, "index", "tag"]].assign(cell="", label=PERFECT, method=PERFECT)
    return found.assign(**{name: once[f"{name}_perfect"] for name in known})


def probe_row(config: Any, info: Any, world: World) -> dict[str, Any]:
    """One estimator against the reference on one problem, over its trajectories.

    value: mean of Σ_t (V − V̂)²; shift: √(Σ‖Δ − Δ̂‖² / Σ‖Δ‖²).
    """
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
        "shift": float(np.sqrt(np.mean(found["shift"][name]) / np.mean(found["reference"]))),
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
    """The same rows with ``label``s: the estimator with its settings but λ and the size."""
    if probes.empty:
        return probes
    apart = probes["scale"] != probes["reference λ"]
    if apart.any():
        raise ValueError(
            f"a probe of {probes.estimator[apart].iloc[0]} has another λ than its reference: set "
            "target_scale, which both follow"
        )
    varying = [key for key in OTHERS if key in probes and probes[key].nunique() > 1]
    return probes.assign(
        label=[
            ", ".join([probe_label(row), *(f"{key} {values[key]}" for key in varying)])
            for row, (_, values) in zip(probes.itertuples(), probes.iterrows(), strict=True)
        ]
    )
