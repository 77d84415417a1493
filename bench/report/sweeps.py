"""Cells of a budget sweep -> `bench.stats` sweeps: quality against cost relative to vanilla."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bench import stats
from bench.report.load import SIDES, Results
from bench.report.summary import draws, plain_draws

LEAST = 8  # timed prompts: too few of them cover too seldom (not widened, 6: 90%, 3: 74% of 95%)
FEW = f"not judged, or fewer than {LEAST} prompts timed in all of the cells"


def sweeps(
    results: Results, groups: Sequence[Sequence[str]], least: int = LEAST
) -> list[stats.Sweep] | None:
    """One sweep for each group of cells, all over the same prompts under the same draws.

    None where fewer than ``least`` prompts were timed in all of the cells, or none judged. Cost and
    quality are resampled apart: only some of the prompts are timed.
    """
    cells = [cell for group in groups for cell in group]
    tags, marks = results.shared(cells, results.marks)
    timed, (vanilla, method) = results.shared(cells, SIDES)
    if tags.empty or len(timed) < least:
        return None
    of_quality, of_cost = draws(tags), plain_draws(len(timed))
    cost = method.sum(axis=1) / vanilla.sum(axis=1)
    found = []
    for group in groups:
        at = np.array([cells.index(cell) for cell in group])
        at = at[np.argsort(cost[at])]
        key = (*(cells[k] for k in at), tags.index.to_numpy().tobytes())
        if key not in results.memo:  # a control's sweep serves every cell that meets it
            results.memo[key] = estimates(results, [values[at] for values in marks], tags)
        ratios = stats.cost_ratios(method[at], vanilla[at], of_cost)
        found.append(stats.Sweep(ratios, results.memo[key], of_quality))
    return found


def estimates(results: Results, marks: list[stats.Array], tags: pd.Series) -> stats.Estimates:
    """The quality of each cell from its ``marks``, (cells, n) each."""
    if results.quality == "geneval":
        correct, images = marks
        return stats.headlines(correct, images, tags.to_numpy(), draws(tags))
    return stats.means(marks[0], draws(tags))


def by_cost(results: Results, cells: Sequence[str]) -> list[str]:
    """The cells from cheap to dear, as in their sweep; those never timed left out."""
    known = {}
    for cell in cells:
        tags, (vanilla, method) = results.shared([cell], SIDES)
        if len(tags):
            known[cell] = method.sum() / vanilla.sum()
    return sorted(known, key=known.__getitem__)
