"""Cells of a budget sweep -> `bench.stats` sweeps: GenEval against cost relative to vanilla."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np
import pandas as pd

from bench import stats
from bench.report.load import Results
from bench.report.summary import draws

SIDES = ["yardstick.vanilla", "yardstick.method"]
LEAST = 8  # timed prompts: too few of them cover too seldom (not widened, 6: 90%, 3: 74% of 95%)
FEW = f"not judged, or fewer than {LEAST} prompts timed in all of the cells"


def common(frames: Sequence[pd.DataFrame]) -> pd.Index:
    """Prompt indices that all the frames have, ascending."""
    return reduce(pd.Index.intersection, [frame.index for frame in frames]).sort_values()


def timed(results: Results, cells: Sequence[str]) -> list[pd.DataFrame]:
    """The cells' prompts on which every one of them was timed beside vanilla, in one order."""
    frames = [results.of(cell).dropna(subset=SIDES) for cell in cells]
    shared = common(frames)
    return [frame.loc[shared] for frame in frames]


def judged(results: Results, cells: Sequence[str]) -> list[pd.DataFrame]:
    """The cells' prompts that every one of them finished and had judged, in one order."""
    frames = [results.of(cell).dropna(subset=["correct"]) for cell in cells]
    shared = common(frames)
    return [frame.loc[shared] for frame in frames]


def sweeps(
    results: Results, groups: Sequence[Sequence[str]], least: int = LEAST
) -> list[stats.Sweep] | None:
    """One sweep for each group of cells, all over the same prompts under the same draws.

    None where fewer than ``least`` prompts were timed in all of the cells, or none judged. Cost and
    quality are resampled apart: only some of the prompts are timed.
    """
    cells = [cell for group in groups for cell in group]
    quality, cost = judged(results, cells), timed(results, cells)
    if quality[0].empty or len(cost[0]) < least:
        return None
    of_quality, of_cost = draws(quality[0]), draws(cost[0], stratified=False)
    found = []
    for group in groups:
        seconds = [frame for cell, frame in zip(cells, cost, strict=True) if cell in group]
        marks = [frame for cell, frame in zip(cells, quality, strict=True) if cell in group]
        vanilla, method = (stack(seconds, side) for side in SIDES)
        order = np.argsort(method.sum(axis=1) / vanilla.sum(axis=1))
        headlines = stats.headlines(
            stack(marks, "correct")[order],
            stack(marks, "images")[order],
            np.asarray(quality[0].tag),
            of_quality,
        )
        ratios = stats.cost_ratios(method[order], vanilla[order], of_cost)
        found.append(stats.Sweep(ratios, headlines, of_quality))
    return found


def by_cost(results: Results, cells: Sequence[str]) -> list[str]:
    """The cells from cheap to dear, as in their sweep; those never timed left out."""
    known = {}
    for cell in cells:
        own = results.of(cell).dropna(subset=SIDES)
        if not own.empty:
            known[cell] = own["yardstick.method"].sum() / own["yardstick.vanilla"].sum()
    return sorted(known, key=known.__getitem__)


def stack(frames: Sequence[pd.DataFrame], column: str) -> stats.Array:
    """(cells, prompts) values of a column."""
    return np.stack([frame[column].to_numpy(float) for frame in frames])
