"""A ranking of the methods for each way to count costs: evaluations as papers count them, calls,
operations, seconds; and where two methods change places between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from bench import stats
from bench.report import choice
from bench.report.load import Results
from bench.report.summary import difference, draws

# Columns of `Compared.frame`: costs, each over vanilla's, and what they count.
AXES = {
    "claimed": "evaluations as papers count them",
    "calls": "calls of the denoiser, forward and backward",
    "work": "floating-point operations",
    "cost": "seconds",
}
BUDGETS = tuple(2.0**k for k in range(11))  # times vanilla's cost
NEAR = 1.05  # a setting may cost so much more than the budget
LEAST = 3  # methods run at a budget, below which there is no ranking


@dataclass(frozen=True)
class Quality:
    """The column of ``prompts`` (or "geneval") that methods are ranked by; ``sign`` -1: less is
    better."""

    column: str
    label: str
    sign: float = 1.0

    @staticmethod
    def of(results: Results) -> Quality:
        """Where the target is known, the distance to it: the highest reward is not the aim."""
        if "distance" in results.prompts and results.prompts.distance.notna().any():
            return Quality("distance", "distance to the target / a perfect sampler's", -1.0)
        return Quality(results.quality, results.axis)

    def lead(self, results: Results, one: str, other: str) -> stats.Interval | None:
        """By how much ``one`` is better than ``other``, paired by prompt."""
        gap = difference(results, one, other, self.column)
        if gap is None or self.sign > 0:
            return gap
        return stats.Interval(-gap.value, -gap.high, -gap.low, gap.prompts)


@dataclass(frozen=True)
class Compared:
    """The cells of one backbone. ``frame``: those rows of a summary that have a quality and as many
    steps as vanilla's typical cell, with the columns quality (.low, .high), those of `AXES`, and
    evaluations, the first of them as it is. ``name``: of the domain, where there are several."""

    name: str
    results: Results
    quality: Quality
    frame: pd.DataFrame

    @property
    def axes(self) -> list[str]:
        """Those that at least two cells have."""
        return [name for name in AXES if self.frame[name].notna().sum() > 1]


def compared(results: Results, summary: pd.DataFrame, name: str = "") -> Compared | None:
    """None where there is no vanilla, and where there are not two costs of two cells."""
    base, quality = choice.base_of(results.cells, "vanilla"), Quality.of(results)
    if base is None or base not in summary.index:
        return None
    counts = pd.DataFrame(
        {
            "claimed": summary.claimed,
            "calls": summary["calls.denoiser"] + summary["calls.denoiser_backward"],
            "work": summary.flops,
        }
    )
    counts = (counts / counts.loc[base]).where(counts > 0)
    believed = summary.busy == ""  # seconds of a busy machine rank nothing
    seconds = {f"cost{end}": summary[f"cost{end}"].where(believed) for end in ("", ".low", ".high")}
    made = summary.assign(evaluations=summary.claimed, **counts, **seconds)
    ends = [qualities(results, quality, made, end) for end in ("", ".low", ".high")]
    made = made.assign(**dict(zip(("quality", "quality.low", "quality.high"), ends, strict=True)))
    steps = results.cells.steps.loc[made.index]
    found = Compared(name, results, quality, made[(steps == steps[base]) & made.quality.notna()])
    return found if len(found.axes) > 1 else None


def qualities(results: Results, quality: Quality, summary: pd.DataFrame, end: str) -> pd.Series:
    """The quality of each cell, or an end of its interval."""
    if quality.column in summary:
        return summary[f"{quality.column}{end}"]
    found = {}
    for cell in summary.index:
        own = results.of(str(cell))
        own = own[own[quality.column].notna()]
        if own.empty:
            found[cell] = np.nan
            continue
        mean = stats.mean(own[quality.column].to_numpy(float), draws(own.tag))
        found[cell] = {"": mean.value, ".low": mean.low, ".high": mean.high}[end]
    return pd.Series(found, dtype=float)


def at_budget(of: Compared, axis: str, budget: float) -> pd.Series:
    """The best cell of each method that costs no more than this, the best method first: cell id by
    method."""
    able = of.frame[of.frame[axis] <= NEAR * budget]
    order = (of.quality.sign * able.quality).sort_values(ascending=False, kind="stable").index
    best = able.loc[order].drop_duplicates("method")
    return pd.Series(best.index, index=best.method, dtype=object)


def rankings(of: Compared) -> Iterator[tuple[float, dict[str, pd.Series]]]:
    """`at_budget` by axis, for each budget that enough methods were run at on every axis: between
    half of it and all."""
    for budget in BUDGETS:
        low, high = NEAR * budget / 2, NEAR * budget
        run = [of.frame[of.frame[a].between(low, high, "right")].method.nunique() for a in of.axes]
        if min(run) >= LEAST:
            yield budget, {axis: at_budget(of, axis, budget) for axis in of.axes}


@dataclass(frozen=True)
class Exchange:
    """At one budget ``ahead`` is better than ``behind`` by ``gain`` on ``axis``, and worse, by
    ``loss`` (which is negative), on ``other``."""

    budget: float
    axis: str
    other: str
    ahead: str
    behind: str
    gain: stats.Interval
    loss: stats.Interval

    @property
    def clear(self) -> bool:
        """Whether neither is a tie."""
        known = self.gain.known and self.loss.known
        return known and self.gain.low > 0 > self.loss.high


def exchanges(of: Compared, budget: float, found: Mapping[str, pd.Series]) -> Iterator[Exchange]:
    """Pairs of methods that change places between two axes; the same cells once."""
    seen = set()
    for axis, other in combinations(found, 2):
        mine, theirs = found[axis], found[other]
        for ahead, behind in combinations([m for m in mine.index if m in theirs.index], 2):
            if theirs.index.get_loc(ahead) < theirs.index.get_loc(behind):
                continue
            cells = (mine[ahead], mine[behind], theirs[ahead], theirs[behind])
            gain = of.quality.lead(of.results, str(cells[0]), str(cells[1]))
            loss = of.quality.lead(of.results, str(cells[2]), str(cells[3]))
            if cells not in seen and gain is not None and loss is not None:
                yield Exchange(budget, axis, other, ahead, behind, gain, loss)
            seen.add(cells)
