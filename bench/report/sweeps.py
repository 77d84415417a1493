"""Cells of a budget sweep -> `bench.stats` sweeps: quality against cost relative to vanilla.

Cost is in seconds, or in calls of the denoiser where the seconds are too few or not to be believed
(`clock.unit`); calls are exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench import stats
from bench.report import clock, counting
from bench.report.clock import LEAST
from bench.report.load import SIDES, Results
from bench.report.summary import draws, plain_draws

FEW = f"not judged, or fewer than {LEAST} prompts timed in all of the cells"


def sweeps(
    results: Results,
    groups: Sequence[Sequence[str]],
    least: int = LEAST,
    marks_of: tuple[str, ...] = (),
) -> list[stats.Sweep] | None:
    """One sweep for each group of cells, all over the same prompts under the same draws.

    None where fewer than ``least`` prompts were timed in all of the cells, or none judged. Cost and
    quality are resampled apart: only some of the prompts are timed. ``marks_of``: the columns of
    ``prompts`` that the quality is of, `Results.marks` where there are none.
    """
    cells = [cell for group in groups for cell in group]
    columns = marks_of or results.marks
    tags, marks = results.shared(cells, columns)
    if tags.empty:
        return None
    of_quality, found = draws(tags), []
    seconds = clock.unit(results, least) == "seconds"
    if seconds:
        timed, (vanilla, method) = results.shared(cells, SIDES)
        if len(timed) < least:
            return None
        of_cost, cost = plain_draws(len(timed)), method.sum(axis=1) / vanilla.sum(axis=1)
    else:
        cost = np.array([calls_ratio(results, cell) for cell in cells])
        if not np.isfinite(cost).all():
            return None
    for group in groups:
        at = np.array([cells.index(cell) for cell in group])
        at = at[np.argsort(cost[at])]
        key = (*(cells[k] for k in at), columns, tags.index.to_numpy().tobytes())
        if key not in results.memo:  # a control's sweep serves every cell that meets it
            results.memo[key] = estimates([values[at] for values in marks], tags)
        exact = stats.Estimates(cost[at], np.tile(cost[at], (len(of_quality.weights), 1)))
        ratios = stats.cost_ratios(method[at], vanilla[at], of_cost) if seconds else exact
        found.append(stats.Sweep(ratios, results.memo[key], of_quality))
    return found


def calls_ratio(results: Results, cell: str) -> float:
    """Calls of the denoiser an image over those of the cell's vanilla; NaN without one."""
    base = results.references.get(cell)
    if base is None:
        return float("nan")
    return counting.calls(results.of(cell)) / counting.calls(results.of(base))


def estimates(marks: list[stats.Array], tags: pd.Series) -> stats.Estimates:
    """The quality of each cell from its ``marks``, (cells, n) each: correct and judged images, or
    one column of scores."""
    if len(marks) == 2:
        correct, images = marks
        return stats.headlines(correct, images, tags.to_numpy(), draws(tags))
    return stats.means(marks[0], draws(tags))


def by_cost(results: Results, cells: Sequence[str], least: int = LEAST) -> list[str]:
    """The cells from cheap to dear, as in their sweep; those never timed left out."""
    if clock.unit(results, least) == "calls":
        ratios = {cell: calls_ratio(results, cell) for cell in cells}
        return sorted((c for c in cells if np.isfinite(ratios[c])), key=ratios.__getitem__)
    known = {}
    for cell in cells:
        tags, (vanilla, method) = results.shared([cell], SIDES)
        if len(tags):
            known[cell] = method.sum() / vanilla.sum()
    return sorted(known, key=known.__getitem__)
