"""Settings over their problems: geometric means with intervals, by size, and two of them paired."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench import stats
from bench.report.summary import draws
from bench.report.truth.read import PERFECT, PROBLEM, Truth
from bench.report.truth.worlds import World

MEANS = ("reward", "gap", "diversity", "ess", "seconds")
SHARES = "modes"  # may be 0 on a problem, so that its mean is the arithmetic one


def over_problems(rows: pd.DataFrame, name: str) -> stats.Interval:
    """The mean of a distance over its floor; problems are drawn within each size and kind."""
    mean = stats.mean if name == SHARES else stats.geometric
    return mean(rows[name].to_numpy(float), draws(rows["size"].astype(str) + " " + rows.tag))


def summarize(truth: Truth) -> pd.DataFrame:
    """One row a setting: of the distances ``.low`` and ``.high``, the ends of their intervals, and
    of the main one ``.least`` and ``.most``, its extreme problems; means of the rest."""
    if truth.methods.empty:
        return pd.DataFrame()
    partial = truth.cells.coverage[truth.cells.coverage != ""]
    found = []
    for (label, method), own in truth.methods.groupby(["label", "method"], sort=False):
        row: dict[str, Any] = {"label": label, "method": method, "cell": own.cell.iloc[0]}
        row |= {"problems": len(own), "coverage": "; ".join(partial[partial.index.isin(own.cell)])}
        for name in truth.world.distances:
            if name in own and own[name].notna().all():
                mean = over_problems(own, name)
                row |= {name: mean.value, f"{name}.low": mean.low, f"{name}.high": mean.high}
        main = own[truth.world.main]
        row |= {f"{truth.world.main}.least": main.min(), f"{truth.world.main}.most": main.max()}
        others = [c for c in own if c in MEANS or c.startswith(("judge.", "calls."))]
        found.append(row | own[others].astype(float).mean().to_dict())
    return pd.DataFrame(found)


def whole(summary: pd.DataFrame) -> pd.DataFrame:
    """The settings that met as many problems as any: means over fewer are of other problems."""
    if summary.empty:
        return summary
    return summary[summary.problems >= most(summary)]


def most(summary: pd.DataFrame) -> int:
    """The number of problems of the setting that met most; a perfect sampler meets all rewards."""
    return int(summary.problems[summary.method != PERFECT].max())


def by_size(truth: Truth) -> pd.DataFrame:
    """The main distance of every setting at each size, and ``.least`` and ``.most`` of a problem:
    too few share a size for an interval. Empty where all problems are of one size."""
    rows, main = truth.methods, truth.world.main
    if rows.empty or rows["size"].nunique() < 2:
        return pd.DataFrame()
    found = []
    for (label, method, size), own in rows.groupby(["label", "method", "size"], sort=False):
        row = {"label": label, "method": method, "size": size, "problems": len(own)}
        row[main] = over_problems(own, main).value
        found.append(row | {f"{main}.least": own[main].min(), f"{main}.most": own[main].max()})
    return pd.DataFrame(found)


def against(rows: pd.DataFrame, one: str, other: str, world: World) -> stats.Interval | None:
    """The main distance of ``one`` label over that of the ``other``, paired by problem; None where
    they share none."""
    mine, theirs = (rows[rows.label == label].set_index(PROBLEM) for label in (one, other))
    both = mine.join(theirs[world.main].rename("other"), how="inner").reset_index()
    if both.empty:
        return None
    return over_problems(both.assign(ratio=both[world.main] / both.other), "ratio")
