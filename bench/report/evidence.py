"""Everything a report says, worked out once from the results: what pages and verdicts read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bench import stats
from bench.report import choice
from bench.report.breakeven import break_evens
from bench.report.contrasts import Contrast, contrasts
from bench.report.controls import Comparison, comparisons
from bench.report.lidar import published as paper
from bench.report.load import Results
from bench.report.seeds import pooled
from bench.report.speedups import Speedup, speedups
from bench.report.summary import difference, summarize, tasks

MEASURED = Path(__file__).parents[2] / "results" / "measured"
ESTIMATORS = MEASURED / "ground_truth" / "tables" / "estimators.csv"


@dataclass(frozen=True)
class Evidence:
    """``summary``: one row a cell. ``by_task``: one a cell and task. ``estimators``: errors of the
    estimators on the ground truth, as committed in the repository, or None."""

    results: Results
    summary: pd.DataFrame
    by_task: pd.DataFrame
    speedups: list[Speedup]
    controls: list[Comparison]
    contrasts: list[Contrast]
    break_evens: dict[str, stats.BreakEven]
    seeds: pd.DataFrame
    paper: pd.DataFrame
    estimators: pd.DataFrame | None

    @property
    def judges(self) -> tuple[str, ...]:
        """As `Results.judges`."""
        return self.results.judges

    def typical(self, method: str) -> str | None:
        """The method's typical cell."""
        return choice.base_of(self.results.cells, method)

    def estimate(self, cell: str, name: str) -> stats.Interval:
        """A column of the summary with its ends, as an interval; NaN where it is not there."""
        if name not in self.summary:
            return stats.Interval(np.nan, np.nan, np.nan, 0)
        row = self.summary.loc[cell]
        value, low, high = (float(row[f"{name}{end}"]) for end in ("", ".low", ".high"))
        return stats.Interval(value, low, high, int(row[f"{name}.prompts"]))

    def difference(
        self, cell: str, other: str, name: str, level: float = stats.LEVEL
    ) -> stats.Interval | None:
        """`bench.report.summary.difference` of two cells of these results."""
        return difference(self.results, cell, other, name, level)


def gather(results: Results, estimators: Path = ESTIMATORS) -> Evidence:
    """Every table and comparison of a results folder."""
    known = pd.read_csv(estimators) if estimators.is_file() else None
    return Evidence(
        results,
        summarize(results),
        tasks(results),
        speedups(results),
        comparisons(results),
        contrasts(results),
        break_evens(results),
        pooled(results),
        paper.columns(results.cells),
        known,
    )
