"""Cells of a budget sweep -> `bench.stats` sweeps: quality against cost relative to vanilla."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import pandas as pd

from bench import stats
from bench.report.load import SIDES, Results
from bench.report.summary import draws

LEAST = 8  # timed prompts: too few of them cover too seldom (not widened, 6: 90%, 3: 74% of 95%)
FEW = f"not judged, or fewer than {LEAST} prompts timed in all of the cells"


def shared(of: Callable[[str], pd.DataFrame], cells: Sequence[str]) -> list[pd.DataFrame]:
    """The cells' prompts, ``of`` each cell, that all of them have, in one order."""
    frames = [of(cell) for cell in cells]
    common = reduce(pd.Index.intersection, [frame.index for frame in frames]).sort_values()
    return [frame.loc[common] for frame in frames]


def sweeps(
    results: Results, groups: Sequence[Sequence[str]], least: int = LEAST
) -> list[stats.Sweep] | None:
    """One sweep for each group of cells, all over the same prompts under the same draws.

    None where fewer than ``least`` prompts were timed in all of the cells, or none judged. Cost and
    quality are resampled apart: only some of the prompts are timed.
    """
    cells = [cell for group in groups for cell in group]
    quality, cost = shared(results.judged, cells), shared(results.timed, cells)
    if quality[0].empty or len(cost[0]) < least:
        return None
    of_quality, of_cost = draws(quality[0]), draws(cost[0], stratified=False)
    found = []
    for group in groups:
        at = [cells.index(cell) for cell in group]
        vanilla, method = (stack([cost[k] for k in at], side) for side in SIDES)
        order = np.argsort(method.sum(axis=1) / vanilla.sum(axis=1))
        ordered = [quality[at[k]] for k in order]
        if results.quality == "geneval":
            tags = quality[0].tag.to_numpy()
            correct, images = (stack(ordered, column) for column in ("correct", "images"))
            qualities = stats.headlines(correct, images, tags, of_quality)
        else:
            qualities = stats.means(stack(ordered, results.quality), of_quality)
        ratios = stats.cost_ratios(method[order], vanilla[order], of_cost)
        found.append(stats.Sweep(ratios, qualities, of_quality))
    return found


def by_cost(results: Results, cells: Sequence[str]) -> list[str]:
    """The cells from cheap to dear, as in their sweep; those never timed left out."""
    sums = {cell: results.timed(cell)[SIDES].sum() for cell in cells}
    known = {cell: method / vanilla for cell, (vanilla, method) in sums.items() if vanilla > 0}
    return sorted(known, key=known.__getitem__)


def stack(frames: Sequence[pd.DataFrame], column: str) -> stats.Array:
    """(cells, prompts) values of a column."""
    return np.stack([frame[column].to_numpy(float) for frame in frames])
