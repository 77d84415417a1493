"""Cells that differ in nothing but the seed: one score of all their images, and its spread."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench import stats
from bench.report import choice
from bench.report.cells import labels
from bench.report.load import Results
from bench.report.summary import draws
from bench.report.sweeps import judged, stack

COLUMNS = ("method", "seeds", "pooled", "low", "high", "deviation", "prompts", "cells")


def groups(cells: pd.DataFrame) -> list[list[str]]:
    """Cells of two or more seeds and otherwise equal settings."""
    done = cells[choice.enough(cells)]
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for cell, row in done.iterrows():
        own = {k: v for k, v in choice.settings(row).items() if k != "target.seed"}
        alike.setdefault(tuple(sorted(own.items())), []).append(str(cell))
    return [found for found in alike.values() if cells.seed[found].nunique() > 1]


def pooled(results: Results) -> pd.DataFrame:
    """One row a group of `groups`: GenEval over all images, and the deviation between seeds."""
    rows: list[dict[str, object]] = []
    found = groups(results.cells)
    ones = results.cells.loc[[cells[0] for cells in found]].assign(seed=0).reset_index()
    names = dict(zip(ones.cell, labels(ones), strict=True))
    for cells in found:
        frames = judged(results, cells)
        if frames[0].empty:
            continue
        marks, images = stack(frames, "correct"), stack(frames, "images")
        tags = np.asarray(frames[0].tag)
        score = stats.geneval(*stats.pool(marks, images), tags, draws(frames[0]))
        deviation = stats.spread(marks, images, tags).deviation
        row = (
            names[cells[0]],
            len(cells),
            score.value,
            score.low,
            score.high,
            deviation,
            score.prompts,
        )
        rows.append(dict(zip(COLUMNS, (*row, " ".join(cells)), strict=True)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
