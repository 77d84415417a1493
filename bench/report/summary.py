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
from bench.store.schema import PHASES

NOTHING = stats.Interval(np.nan, np.nan, np.nan, 0)
TASKS = ("label", "task", "share", "low", "high", "prompts", "images")


def draws(prompts: pd.DataFrame, stratified: bool = True) -> stats.Draws:
    """Bootstrap draws of these prompts; the same for every frame of the same prompts.

    Timings are not stratified: their prompts are a small sample, often one a task.
    """
    return _drawn(tuple(prompts.tag) if stratified else ("all",) * len(prompts))


@lru_cache(maxsize=8)
def _drawn(strata: tuple[str, ...]) -> stats.Draws:
    return stats.resample(np.asarray(strata), stats.DRAWS, np.random.default_rng(0))


def summarize(results: Results) -> pd.DataFrame:
    """One row for each cell with a finished prompt, in the order of ``results.cells``.

    Columns: label, short (the label within its method), typical (whether it is the method's typical
    cell), method, coverage, geneval, score.<name>, diversity, each with its .change (to its vanilla
    cell, on common prompts), improvement (probability that a prompt does better than vanilla's),
    seconds (median a prompt), cost (ratio to the yardstick), cost.<phase> (its parts),
    lidar_speedup (of LiDAR's typical cell, over cells of its target), calls.<kind> and
    calls.<phase>.<kind> (mean a prompt).
    """
    cells = results.cells[results.cells.done > 0]
    lidar = choice.base_of(results.cells, "lidar")
    names = [*(f"score.{name}" for name in results.scores), "diversity"]
    calls = [c for c in results.prompts if c.startswith("calls.")]
    rows = []
    for cell, about in cells.iterrows():
        own, base = results.of(str(cell)), results.references.get(str(cell))
        estimates = {"geneval": geneval(own)} | {name: mean(own, own[name]) for name in names}
        estimates |= changes(results, str(cell), None if base == cell else base, names)
        estimates |= {"cost": cost(results.timed(str(cell))), "lidar_speedup": NOTHING}
        if lidar is not None and choice.same_target(results.cells, lidar, str(cell)):
            estimates["lidar_speedup"] = lidar_speedup(results, lidar, str(cell))
        row = {"cell": cell, **about[["label", "method", "coverage"]]}
        row |= {"short": choice.short(results.cells, str(cell)), "typical": about.base == cell}
        for name, interval in estimates.items():
            row |= {name: interval.value, f"{name}.low": interval.low}
            row |= {f"{name}.high": interval.high, f"{name}.prompts": interval.prompts}
        row["seconds"] = own["seconds.total"].median()
        parts = results.timed(str(cell))[[f"seconds.{phase}" for phase in PHASES]].sum()
        row |= {f"cost.{p}": row["cost"] * parts[f"seconds.{p}"] / parts.sum()
                if parts.sum() else np.nan for p in PHASES}  # fmt: skip
        rows.append(row | own[calls].mean().to_dict())
    return pd.DataFrame(rows).set_index("cell")


def geneval(own: pd.DataFrame) -> stats.Interval:
    """GenEval of a cell's prompts, those that were judged."""
    judged = own.dropna(subset=["correct"])
    if judged.empty:
        return NOTHING
    return stats.geneval(*marks(judged), judged.tag.to_numpy(), draws(judged))


def mean(prompts: pd.DataFrame, values: pd.Series) -> stats.Interval:
    """Mean of ``values``, one a prompt, over the prompts that have one."""
    known = values.notna()
    if not known.any():
        return NOTHING
    return stats.mean(values[known].to_numpy(float), draws(prompts[known]))


def changes(
    results: Results, cell: str, base: str | None, names: list[str]
) -> dict[str, stats.Interval]:
    """Differences to ``base``, and the improvement; scores of two different rewards have none."""
    found = {f"{name}.change": NOTHING for name in ("geneval", *names)} | {"improvement": NOTHING}
    if base is None:
        return found
    unlike = any(k.startswith("reward.") for k in choice.apart(*_rows(results, cell, base)))
    for name in ("geneval", *names):
        if not (unlike and name == f"score.{results.reward}"):
            found[f"{name}.change"] = difference(results, cell, base, name) or NOTHING
    own, other = common(results, cell, base, results.quality)
    if len(own):
        mine, theirs = (
            f.correct / f.images if results.quality == "geneval" else f[results.quality]
            for f in (own, other)
        )
        tags = own.tag.to_numpy()
        pair = mine.to_numpy(float), theirs.to_numpy(float)
        found["improvement"] = stats.improvement(*pair, tags, draws(own))
    return found


def _rows(results: Results, *cells: str) -> list[pd.Series]:
    return [results.cells.loc[cell] for cell in cells]


def common(results: Results, cell: str, other: str, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The prompts of two cells on which both have ``name``, in one order."""
    column = "correct" if name == "geneval" else name
    own, base = (results.of(c) for c in (cell, other))
    own, base = (f.dropna(subset=[column]) if column in f else f.head(0) for f in (own, base))
    shared = own.index.intersection(base.index)
    return own.loc[shared], base.loc[shared]


def difference(
    results: Results, cell: str, other: str, name: str, level: float = stats.LEVEL
) -> stats.Interval | None:
    """``cell`` less ``other`` in ``name`` ("geneval", "diversity", "score.clip"), paired by prompt;
    None where they share no prompt that has it."""
    own, base = common(results, cell, other, name)
    if own.empty:
        return None
    if name != "geneval":
        return stats.mean((own[name] - base[name]).to_numpy(float), draws(own), level=level)
    tags = own.tag.to_numpy()
    return stats.geneval_difference(marks(own), marks(base), tags, draws(own), level=level)


def cost(timed: pd.DataFrame) -> stats.Interval:
    """Seconds relative to vanilla over the prompts on which vanilla was timed beside the method."""
    if timed.empty:
        return NOTHING
    return stats.cost_ratio(*seconds(timed), draws(timed, stratified=False))


def lidar_speedup(results: Results, lidar: str, cell: str) -> stats.Interval:
    """How many times faster LiDAR is than this cell, over the prompts timed in both."""
    fast, slow = (results.timed(c) for c in (lidar, cell))
    shared = fast.index.intersection(slow.index)
    if shared.empty:
        return NOTHING
    pair = seconds(fast.loc[shared]), seconds(slow.loc[shared])
    return stats.speedup(*pair, draws(fast.loc[shared], stratified=False))


def tasks(results: Results) -> pd.DataFrame:
    """GenEval by task, one row a cell and task: share in [0, 1], low, high, prompts, images."""
    rows = []
    for cell, label in results.cells.label[results.cells.done > 0].items():
        own = results.of(str(cell)).dropna(subset=["correct"])
        if own.empty:
            continue
        images = own.groupby("tag").images.sum()
        for task, found in stats.geneval_tasks(*marks(own), own.tag.to_numpy(), draws(own)).items():
            ends = (found.value, found.low, found.high, found.prompts, images[task])
            rows.append((cell, label, task, *ends))
    return pd.DataFrame(rows, columns=["cell", *TASKS])


def marks(prompts: pd.DataFrame) -> tuple[stats.Array, stats.Array]:
    """Correct and judged images, each (prompts,)."""
    return prompts.correct.to_numpy(float), prompts.images.to_numpy(float)


def seconds(timed: pd.DataFrame) -> tuple[stats.Array, stats.Array]:
    """Seconds of the method and of its yardstick, each (prompts,)."""
    return timed["yardstick.method"].to_numpy(float), timed["yardstick.vanilla"].to_numpy(float)
