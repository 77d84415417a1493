"""Frames of records -> one row of estimates a cell: what tables and figures show.

Columns come in threes, ``name``, ``name.low``, ``name.high``, with ``name.prompts`` beside them:
the number of prompts behind the estimate. Every interval of a report comes from draws seeded alike,
so cells that finished the same prompts are resampled together. An estimate that cannot be made
(no vanilla cell, no yardstick) is NaN with 0 prompts; where a task has a single prompt the estimate
stands without an interval, its ends NaN.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from bench import stats
from bench.report import choice, clock
from bench.report.counting import column, evaluations
from bench.report.load import SIDES, Results
from bench.store.schema import PHASES

# Shares of images, taken task by task and then averaged over the tasks: the column of ``prompts``.
SHARES = {"geneval": "correct", "strict": "strict"}
# Prompts on which a method and vanilla are all right, from which on their diversity is compared.
FEWEST = 5
NOTHING = stats.Interval(np.nan, np.nan, np.nan, 0)
TASKS = ("label", "task", "share", "low", "high", "prompts", "images")


def draws(tags: Collection[str]) -> stats.Draws:
    """Bootstrap draws of prompts of these tasks; the same for all of the same prompts."""
    return _drawn(tuple(np.asarray(tags).tolist()))


def plain_draws(count: int) -> stats.Draws:
    """Draws that are not stratified, for timings: their prompts are a small sample, often one a
    task."""
    return _drawn(("all",) * count)


@lru_cache(maxsize=8)
def _drawn(strata: tuple[str, ...]) -> stats.Draws:
    return stats.resample(np.asarray(strata), stats.DRAWS, np.random.default_rng(0))


def measured(results: Results) -> list[str]:
    """The columns of ``prompts`` of which means are reported."""
    seen = ("clutter", "doubt", "distinct_share", "diversity")
    return [*(f"score.{name}" for name in results.scores), *seen]


def summarize(results: Results) -> pd.DataFrame:
    """One row for each cell with a finished prompt, in the order of ``results.cells``.

    Columns: label, short (the label within its method), typical (whether it is the method's typical
    cell), method, coverage, geneval, strict, score.<name>, clutter (share of images with objects
    beyond those asked for), doubt, distinct_share (of images that are right and no copies),
    diversity, each with its .change (to its vanilla cell, on common prompts),
    diversity_right.change (that of diversity over the prompts on which both are all right, where
    they are `FEWEST` or more), improvement (probability that a prompt does better than vanilla's),
    busy (why its seconds are not to be believed, "" where they are: `clock`),
    seconds (median a prompt), cost (ratio to the yardstick), cost.<phase> (its parts),
    lidar_speedup (of LiDAR's typical cell, over cells of its target), calls.<kind> and
    calls.<phase>.<kind> (mean a prompt), claimed (evaluations an image as papers count them), flops
    (mean a prompt) and work (floating-point operations relative to vanilla's).
    """
    cells = results.cells[results.cells.done > 0]
    lidar = choice.base_of(results.cells, "lidar")
    calls = [c for c in results.prompts if c.startswith("calls.")]
    passes = column(results.prompts)
    rows = []
    for cell, about in cells.iterrows():
        own, base = results.of(str(cell)), results.references.get(str(cell))
        estimates = dict.fromkeys((*SHARES, *measured(results)), NOTHING)
        own_estimates = sampled(results, str(cell))
        estimates |= {name: one.interval for name, one in own_estimates.items()}
        estimates |= changes(results, str(cell), None if base == cell else base)
        estimates |= {"cost": cost(results, str(cell)), "lidar_speedup": NOTHING}
        if lidar is not None and choice.same_target(results.cells, lidar, str(cell)):
            estimates["lidar_speedup"] = lidar_speedup(results, lidar, str(cell))
        row = {"cell": cell, **about[["label", "method", "coverage"]]}
        row |= {"short": choice.short(results.cells, str(cell)), "typical": about.base == cell}
        for name, interval in estimates.items():
            row |= {name: interval.value, f"{name}.low": interval.low}
            row |= {f"{name}.high": interval.high, f"{name}.prompts": interval.prompts}
        row["busy"] = clock.busy(results).get(str(cell), "")
        row["seconds"] = own["seconds.total"].median()
        parts = results.timed(str(cell))[[f"seconds.{phase}" for phase in PHASES]].sum()
        row |= {f"cost.{p}": row["cost"] * parts[f"seconds.{p}"] / parts.sum()
                if parts.sum() else np.nan for p in PHASES}  # fmt: skip
        row["claimed"] = evaluations(own, passes)
        row |= work(results, str(cell))
        rows.append(row | own[calls].mean().to_dict())
    return pd.DataFrame(rows).set_index("cell")


@dataclass(frozen=True)
class Sampled:
    """An estimate, its value in every draw, the draws, and the prompts that it is over (as
    bytes)."""

    interval: stats.Interval
    samples: stats.Array
    draws: stats.Draws
    prompts: bytes


def sampled(results: Results, cell: str) -> dict[str, Sampled]:
    """GenEval of a cell, strict too, and the means of what was measured, each over the prompts that
    have it."""
    if (cell, "means") in results.memo:
        return dict(results.memo[cell, "means"])
    own, found = results.of(cell), {}
    for name, mark in SHARES.items():
        judged = own.loc[own[mark].notna(), [mark, "images", "tag"]]
        if judged.empty:
            continue
        tags, drawn = judged.tag.to_numpy(), draws(judged.tag)
        whole, by_task, samples = stats.geneval_tasks(*marks(judged, mark), tags, drawn)
        found[name] = Sampled(whole, samples, drawn, judged.index.to_numpy().tobytes())
        if name == "geneval":
            results.memo[cell, "tasks"] = by_task
    alike: dict[bytes, list[str]] = {}
    for name in measured(results):  # columns of the same prompts are resampled in one product
        alike.setdefault(own[name].notna().to_numpy().tobytes(), []).append(name)
    for group in alike.values():
        known = own[group[0]].notna()
        if not known.any():
            continue
        drawn, prompts = draws(own.tag[known]), own.index[known].to_numpy().tobytes()
        means = stats.means(own.loc[known, group].to_numpy(float).T, drawn)
        for k, name in enumerate(group):
            interval = stats.student(means.value[k], means.samples[:, k], drawn)
            found[name] = Sampled(interval, means.samples[:, k], drawn, prompts)
    results.memo[cell, "means"] = found
    return dict(found)


def changes(results: Results, cell: str, base: str | None) -> dict[str, stats.Interval]:
    """Differences to ``base``, and the improvement; scores of two different rewards have none."""
    every = (*SHARES, *measured(results), "diversity_right")
    found = {f"{name}.change": NOTHING for name in every} | {"improvement": NOTHING}
    if base is None:
        return found
    mine, theirs = (sampled(results, c) for c in (cell, base))
    apart = choice.apart(results.cells.loc[cell], results.cells.loc[base])
    if any(key.startswith("reward.") for key in apart):
        mine.pop(f"score.{results.reward}", None)
    for name in {*mine} & {*theirs}:
        one, other = mine[name], theirs[name]
        if one.prompts == other.prompts:  # then the draws are the same
            gap = one.interval.value - other.interval.value
            change = stats.student(gap, one.samples - other.samples, one.draws)
        else:
            change = difference(results, cell, base, name) or NOTHING
        found[f"{name}.change"] = change
    found["diversity_right.change"], *_ = where_right(results, cell, base)
    tags, values = results.shared([cell, base], results.marks)
    if len(tags):
        own, reference = values[0] / values[1] if len(values) == 2 else values[0]
        found["improvement"] = stats.improvement(own, reference, tags.to_numpy(), draws(tags))
    return found


def difference(
    results: Results, cell: str, other: str, name: str, level: float = stats.LEVEL
) -> stats.Interval | None:
    """``cell`` less ``other`` in ``name`` ("geneval", "strict", "clutter", "distinct_share",
    "diversity", "score.clip"), paired by prompt; None where they share no prompt that has it."""
    columns = (SHARES[name], "images") if name in SHARES else (name,)
    if not {*columns} <= {*results.prompts}:
        return None
    tags, values = results.shared([cell, other], columns)
    if tags.empty:
        return None
    if name not in SHARES:
        return stats.mean(values[0][0] - values[0][1], draws(tags), level=level)
    (mine, theirs), (images, others) = values
    pair = (mine, images), (theirs, others)
    return stats.geneval_difference(*pair, tags.to_numpy(), draws(tags), level=level)


def where_right(
    results: Results, cell: str, other: str, share: float = 1.0
) -> tuple[stats.Interval, float, float]:
    """Diversity of ``cell`` less ``share`` of that of ``other``, and both means, over the prompts
    on which every image of both is correct: broken images differ too, so that elsewhere failure
    counts as diversity. Not made of fewer than ``FEWEST`` prompts."""
    _, (spread, correct, images) = results.shared([cell, other], ("diversity", "correct", "images"))
    right = (correct == images).all(axis=0)
    count = int(right.sum())
    if count < FEWEST:
        return stats.Interval(np.nan, np.nan, np.nan, count), np.nan, np.nan
    own, base = spread[:, right]
    rest = stats.mean(own - share * base, plain_draws(count))
    return rest, float(own.mean()), float(base.mean())


def cost(results: Results, cell: str) -> stats.Interval:
    """Seconds relative to vanilla over the prompts on which vanilla was timed beside the method."""
    tags, (vanilla, method) = results.shared([cell], SIDES)
    if tags.empty:
        return NOTHING
    return stats.cost_ratio(method[0], vanilla[0], plain_draws(len(tags)))


def work(results: Results, cell: str) -> dict[str, float]:
    """Operations a prompt, and relative to the vanilla cell's mean, where that is of the same
    target solver and steps."""
    mine, base = results.of(cell).flops.mean(), results.references.get(cell)
    found = {"flops": mine, "work": np.nan}
    if base is not None and choice.same_target(results.cells, base, cell):
        found["work"] = mine / results.of(base).flops.mean()
    return found


def lidar_speedup(results: Results, lidar: str, cell: str) -> stats.Interval:
    """How many times faster LiDAR is than this cell, over the prompts timed in both; nothing where
    the machine was busy."""
    if {lidar, cell} & {*clock.busy(results)}:
        return NOTHING
    tags, (vanilla, method) = results.shared([lidar, cell], SIDES)
    if tags.empty:
        return NOTHING
    fast, slow = zip(method, vanilla, strict=True)
    return stats.speedup(fast, slow, plain_draws(len(tags)))


def tasks(results: Results) -> pd.DataFrame:
    """GenEval by task, one row a cell and task: share in [0, 1], low, high, prompts, images."""
    rows = []
    for cell, label in results.cells.label[results.cells.done > 0].items():
        own = results.of(str(cell))
        images = own.groupby("tag").images.sum()
        sampled(results, str(cell))
        for task, found in results.memo.get((cell, "tasks"), {}).items():
            ends = (found.value, found.low, found.high, found.prompts, images[task])
            rows.append((cell, label, task, *ends))
    return pd.DataFrame(rows, columns=["cell", *TASKS])


def marks(prompts: pd.DataFrame, mark: str = "correct") -> tuple[stats.Array, stats.Array]:
    """Correct images, or those with another ``mark``, and judged images, each (prompts,)."""
    return prompts[mark].to_numpy(float), prompts.images.to_numpy(float)
