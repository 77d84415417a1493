"""Frames of records -> one row of estimates a cell: what tables and figures show.

Columns come in threes, ``name``, ``name.low``, ``name.high``, with ``name.prompts`` beside them:
the number of prompts behind the estimate. Every interval of a report comes from draws seeded alike,
so cells that finished the same prompts are resampled together. An estimate that cannot be made
(no vanilla cell, no yardstick) is NaN with 0 prompts; where a task has a single prompt the estimate
stands without an interval, its ends NaN.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from bench import stats
from bench.report import choice
from bench.report.load import Results
from bench.store.schema import KINDS, PHASES

SEED = 0
NOTHING = stats.Interval(np.nan, np.nan, np.nan, 0)
TASKS = ("label", "task", "share", "low", "high", "prompts", "images")


def draws(prompts: pd.DataFrame, stratified: bool = True) -> stats.Draws:
    """Bootstrap draws of these prompts; the same for every frame of the same prompts.

    Timings are not stratified: their prompts are a small sample, often one a task.
    """
    return _drawn(tuple(prompts.tag) if stratified else ("all",) * len(prompts))


@lru_cache(maxsize=8)
def _drawn(strata: tuple[str, ...]) -> stats.Draws:
    return stats.resample(np.asarray(strata), stats.DRAWS, np.random.default_rng(SEED))


def summarize(results: Results) -> pd.DataFrame:
    """One row for each cell with a finished prompt, in the order of ``results.cells``.

    Columns: label, short (the label within its method), typical (whether it is the method's typical
    cell), method, coverage, geneval, geneval.change (to its vanilla cell, on common prompts),
    improvement (probability that a prompt does better than vanilla's), score.<name>, diversity,
    their .change, seconds (median a prompt), cost (ratio to the yardstick), cost.<phase> (its
    parts), lidar_speedup (of LiDAR's typical cell, over cells of its target), calls.<kind> and
    calls.<phase>.<kind> (mean a prompt).
    """
    cells = results.cells[results.cells.done > 0]
    frames = {cell: results.of(cell) for cell in cells.index}
    references = results.references
    lidar, usual = choice.typical(results.cells, "lidar"), choice.typicals(results.cells)
    rows = []
    for cell, own in frames.items():
        estimates = quality(own, results.scores)
        base = references.get(str(cell), cell)
        estimates |= changes(own, None if base == cell else frames.get(base), results.scores)
        if choice.reward(cells.loc[cell]) != choice.reward(results.cells.loc[base]):
            estimates[f"score.{results.reward}.change"] = NOTHING  # of two different rewards
        timed = own.dropna(subset=["yardstick.vanilla", "yardstick.method"])
        estimates |= {"cost": cost(timed), "lidar_speedup": NOTHING}
        if lidar is not None and choice.same_target(results.cells, lidar, str(cell)):
            estimates["lidar_speedup"] = lidar_speedup(frames[lidar], own)
        row = {key: cells.loc[cell, key] for key in ("label", "method", "coverage")}
        row |= {"short": choice.short(results.cells, cell), "typical": cell in usual}
        for name, interval in estimates.items():
            row |= {name: interval.value, f"{name}.low": interval.low}
            row |= {f"{name}.high": interval.high, f"{name}.prompts": interval.prompts}
        row["geneval.change.tie"] = estimates["geneval.change"].tie
        row["seconds"] = own["seconds.total"].median()
        parts = timed[[f"seconds.{phase}" for phase in PHASES]].sum()
        for phase in PHASES:
            share = parts[f"seconds.{phase}"] / parts.sum() if len(timed) else np.nan
            row[f"cost.{phase}"] = row["cost"] * share
        calls = [
            c for p in ("", *(f"{p}." for p in PHASES)) for c in (f"calls.{p}{k}" for k in KINDS)
        ]
        row |= own[calls].mean().to_dict()
        rows.append({"cell": cell, **row})
    return pd.DataFrame(rows).set_index("cell")


def quality(own: pd.DataFrame, scores: tuple[str, ...]) -> dict[str, stats.Interval]:
    """GenEval, every score and diversity of one cell, over the prompts that have them."""
    judged = own.dropna(subset=["correct"])
    found = {"geneval": NOTHING}
    if len(judged):
        marks, tags = _marks(judged), np.asarray(judged.tag)
        found = {"geneval": stats.geneval(*marks, tags, draws(judged))}
    for name in (*(f"score.{s}" for s in scores), "diversity"):
        found[name] = _mean(own.dropna(subset=[name]), name)
    return found


def changes(
    own: pd.DataFrame, reference: pd.DataFrame | None, scores: tuple[str, ...]
) -> dict[str, stats.Interval]:
    """Differences to ``reference`` on the prompts that both finished, paired by prompt."""
    names = (*(f"score.{s}" for s in scores), "diversity")
    common = own.index[:0] if reference is None else own.index.intersection(reference.index)
    if reference is None or common.empty:
        found = {f"{name}.change": NOTHING for name in ("geneval", *names)}
        return found | {"improvement": NOTHING}
    own, base = own.loc[common], reference.loc[common]
    tasks = np.asarray(own.tag)
    found = {"geneval.change": NOTHING, "improvement": NOTHING}
    if not (own.correct.isna() | base.correct.isna()).any():
        marks = _marks(own), _marks(base)
        mine, theirs = (right / images for right, images in marks)
        found = {
            "geneval.change": stats.geneval_difference(*marks, tasks, draws(own)),
            "improvement": stats.improvement(mine, theirs, tasks, draws(own)),
        }
    for name in names:
        change = own.assign(change=own[name] - base[name]).dropna(subset=["change"])
        found[f"{name}.change"] = _mean(change, "change")
    return found


def cost(timed: pd.DataFrame) -> stats.Interval:
    """Seconds relative to vanilla over the prompts on which vanilla was timed beside the method."""
    if timed.empty:
        return NOTHING
    return stats.cost_ratio(*_seconds(timed), draws(timed, stratified=False))


def lidar_speedup(lidar: pd.DataFrame, own: pd.DataFrame) -> stats.Interval:
    """How many times faster LiDAR is than this cell, over the prompts timed in both."""
    timed = [f.dropna(subset=["yardstick.vanilla", "yardstick.method"]) for f in (lidar, own)]
    common = timed[0].index.intersection(timed[1].index)
    if common.empty:
        return NOTHING
    fast, slow = (f.loc[common] for f in timed)
    return stats.speedup(_seconds(fast), _seconds(slow), draws(fast, stratified=False))


def tasks(results: Results) -> pd.DataFrame:
    """GenEval by task, one row a cell and task: share in [0, 1], low, high, prompts, images."""
    rows = []
    for cell, label in results.cells.label[results.cells.done > 0].items():
        own = results.of(str(cell)).dropna(subset=["correct"])
        if own.empty:
            continue
        found = stats.geneval_tasks(*_marks(own), np.asarray(own.tag), draws(own))
        images = own.groupby("tag").images.sum()
        for task, share in found.items():
            row = {"label": label, "task": task, "share": share.value, "low": share.low}
            row |= {"high": share.high, "prompts": share.prompts, "images": images[task]}
            rows.append({"cell": cell, **row})
    return pd.DataFrame(rows, columns=["cell", *TASKS])


def _mean(prompts: pd.DataFrame, name: str) -> stats.Interval:
    if prompts.empty:
        return NOTHING
    return stats.mean(prompts[name].to_numpy(float), draws(prompts))


def _marks(prompts: pd.DataFrame) -> tuple[stats.Array, stats.Array]:
    return prompts.correct.to_numpy(float), prompts.images.to_numpy(float)


def _seconds(timed: pd.DataFrame) -> tuple[stats.Array, stats.Array]:
    return timed["yardstick.method"].to_numpy(float), timed["yardstick.vanilla"].to_numpy(float)
