"""Cells that differ in nothing but the seed: one score of all their images, and its spread."""

from __future__ import annotations

import pandas as pd

from bench import stats
from bench.report import choice
from bench.report.load import Results
from bench.report.summary import draws
from bench.store.cells import labels

COLUMNS = ("method", "seeds", "pooled", "low", "high", "deviation", "prompts", "cells")


def groups(cells: pd.DataFrame) -> list[list[str]]:
    """Cells of two or more seeds and otherwise equal settings."""
    alike: dict[frozenset[tuple[str, str]], list[str]] = {}
    for cell, every in cells.every[choice.enough(cells)].items():
        own = frozenset(every.items() - {("target.seed", every["target.seed"])})
        alike.setdefault(own, []).append(str(cell))
    return [found for found in alike.values() if cells.seed[found].nunique() > 1]


def pooled(results: Results) -> pd.DataFrame:
    """One row a group of `groups`: GenEval over all images, and the deviation between seeds."""
    found = groups(results.cells) if results.quality == "geneval" else []
    ones = results.cells.loc[[cells[0] for cells in found]].assign(seed=0).reset_index()
    rows = []
    for name, cells in zip(labels(ones), found, strict=True):
        tags, (marks, images) = results.shared(cells, results.marks)
        if tags.empty:
            continue
        score, deviation = stats.pooled(marks, images, tags.to_numpy(), draws(tags))
        ends = (score.value, score.low, score.high, deviation, score.prompts)
        rows.append((name, len(cells), *ends, " ".join(cells)))
    return pd.DataFrame(rows, columns=list(COLUMNS))
