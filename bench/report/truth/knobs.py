"""The settings that decide how near a method comes to the target, each swept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from bench.report.truth.read import Truth

DRAWN = "efr.lookahead.n"


@dataclass(frozen=True)
class Sweep:
    """``name`` of the knob. ``points``: label, x, and the main distance with its ends, in order of
    x. ``at``: how the knob's setting is told in a sentence, with {x}."""

    name: str
    at: str
    points: pd.DataFrame


@dataclass(frozen=True)
class Knob:
    """``key`` of ``method``'s settings; ``share``: x is the share of n samples that is kept."""

    method: str
    key: str
    name: str
    at: str
    share: bool = False


KNOBS = (
    Knob("lidar", DRAWN, "LiDAR's n", "n = {x:g}"),
    Knob("best_of_n", "steer.best_of_n.n", "Best-of-N's N", "N = {x:g}"),
    Knob("best_of_lookahead", DRAWN, "the share kept of best_of_lookahead", "{x:.3g}", True),
    Knob("date", "steer.embedding.scale", "DATE's ρ", "ρ = {x:g}"),
)


def sweeps(truth: Truth, summary: pd.DataFrame) -> list[Sweep]:
    """Every knob at three or more settings, the others as they are."""
    if truth.cells.empty:
        return []
    once = truth.cells.drop_duplicates("label")
    once = once[once.label.isin(summary.label)]
    return [sweep for knob in KNOBS for sweep in _of(knob, once, summary, truth.world.size)]


def _of(knob: Knob, cells: pd.DataFrame, summary: pd.DataFrame, size: str) -> Iterator[Sweep]:
    own = cells[cells.method == knob.method]
    own = own[own.settings.map(lambda settings: knob.key in settings).astype(bool)]
    varied = (knob.key, f"backbone.{size}")
    rest = [str(sorted(p for p in s.items() if p[0] not in varied)) for s in own.settings]
    groups = [group for _, group in own.groupby(rest) if len(group) > 2]
    for group in groups:
        x = group.settings.map(lambda settings: float(settings[knob.key]))
        points = summary.set_index("label").loc[group.label].reset_index()
        points["x"] = (group.images / x if knob.share else x).to_numpy(float)
        settings = group.settings.iloc[0]
        drawn = " in ".join(settings.get(f"efr.lookahead.{key}", "") for key in ("solver", "steps"))
        name = f"{knob.name} ({drawn} steps)" if len(groups) > 1 else knob.name
        yield Sweep(name, knob.at, points.sort_values("x", ignore_index=True))
