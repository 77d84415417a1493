"""Figures about what a method costs: quality against cost, cost by phase, LiDAR's speedups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import stats
from bench.report import choice, style
from bench.report.load import Results
from bench.report.speedups import Speedup
from bench.report.style import Look
from bench.report.sweeps import by_cost, sweeps

Frontiers = Mapping[str, tuple[stats.Array, stats.Array]]  # method -> costs, best qualities
MATCHED, PLAIN = "#D55E00", "#7F7F7F"


def by_target(
    results: Results, summary: pd.DataFrame, looks: dict[str, Look]
) -> Iterator[tuple[str, str, Figure | None]]:
    """`quality_vs_cost` for every target solver and steps, the commonest first: they have different
    vanillas, so different units of cost. (name, what to add to its title, figure)."""
    targets = results.cells.groupby(["solver", "steps"], sort=False).size()
    ordered = targets.sort_values(ascending=False, kind="stable").index
    for place, (solver, steps) in enumerate(ordered):
        own = results.cells[(results.cells.solver == solver) & (results.cells.steps == steps)]
        shown = summary[summary.index.isin(own.index)]
        of = f", {solver} in {steps} steps" if len(targets) > 1 else ""
        name = f"{results.quality.replace('.', '_')}_vs_cost"
        name += f"_{solver}_{steps}" if place else ""
        lines = frontiers(results, own)
        yield name, of, quality_vs_cost(results, shown, looks, lines)


def frontiers(results: Results, cells: pd.DataFrame) -> Frontiers:
    """The cost–quality frontier of every method whose budget was swept in ``cells``."""
    found = {}
    cells = cells.assign(base=choice.bases(cells))
    part = replace(results, cells=cells)
    for method in dict.fromkeys(choice.family(str(m)) for m in cells.method):
        group = by_cost(part, choice.budget(cells, method))
        swept = sweeps(part, [group], least=2) if len(group) > 1 else None  # values alone
        if swept is not None:
            cost, best = stats.of_estimates(swept[0])
            found[method] = cost[0], best[0]
    return found


def quality_vs_cost(
    results: Results, summary: pd.DataFrame, looks: dict[str, Look], lines: Frontiers
) -> Figure | None:
    """Quality over cost relative to vanilla, log scale; None where either was not measured.

    A line is a method's frontier: the best quality for at most each cost.
    """
    timed = summary[summary.cost.notna() & summary[results.quality].notna()]
    if timed.empty:
        return None
    many = style.crowded(timed)
    fig, (ax,) = style.figure(*((8.6, 6.4) if many else (7.2, 4.6)))
    lows, highs = style.ends(timed, "cost")
    room = max((highs.max() / lows.min()) ** 0.15, 1.15)
    ax.set_xscale("log")
    ax.set_xlim(lows.min() / room, highs.max() * room)
    style.pad(ax, "y", timed, results.quality)
    style.log_ticks(ax, "×")
    ax.set_xlabel("cost: seconds relative to vanilla sampling on the same prompts (log scale)")
    ax.set_ylabel(style.plain(results.axis))
    colors = {str(row.method): looks[str(row.label)].color for row in timed.itertuples()}
    for method, (cost, best) in lines.items():
        color = colors.get(method, style.INK)
        ax.plot(cost, best, color=color, linewidth=1.4, alpha=0.6, zorder=2)
    style.scatter(ax, timed, "cost", results.quality, looks)
    if many:
        style.legend(fig, [ax], 5)
    shown = timed if len(timed) <= style.MASS else timed[timed.typical]
    style.name_points(ax, shown, "cost", results.quality, "short" if many else "label")
    return fig


def phases(summary: pd.DataFrame, paper: pd.Series | None = None) -> Figure | None:
    """Cost relative to vanilla as bars split by phase, ``paper``'s ratios as marks; None where no
    cost was measured."""
    timed = summary[summary.cost.notna() & (summary.busy == "")]
    if timed.empty:
        return None
    fig, (ax,) = style.figure(8.2, 1.5 + 0.3 * len(timed))
    parts = timed[[f"cost.{phase}" for phase in style.PHASES]].set_axis([*style.PHASES], axis=1)
    style.phase_bars(ax, parts, timed.label)
    places, (_, highs) = np.arange(len(timed)), style.ends(timed, "cost")
    ax.errorbar(timed.cost, places, xerr=style.errors(timed, "cost"), fmt="none",
                ecolor=style.INK, elinewidth=1)  # fmt: skip
    for place, row in zip(places, timed.itertuples(), strict=True):
        _beside(ax, f"{row.cost:.2f}×", max(highs[row.Index], row.cost), float(place))
    if paper is not None:
        ax.plot(paper.reindex(timed.index), places, "k|", markersize=14, markeredgewidth=2,
                label="the paper's ratio")  # fmt: skip
    ax.set_xlim(0, highs.max() * 1.14)
    ax.set_xlabel("seconds / vanilla seconds (mean), by phase", fontsize=9)
    style.key_above(ax)
    return fig


def saved(found: Sequence[Speedup]) -> Figure | None:
    """LiDAR's speedups: at matched quality where both were swept, and plain ratios. A row a method,
    bars from 1×, to the right where LiDAR is faster; None where there is no cost."""
    kept = [one for one in found if one.plain.value == one.plain.value]
    if not kept:
        return None
    fig, (ax,) = style.figure(8.2, 1.5 + 0.5 * len(kept))
    levels = [one.faster.value if one.faster else None for one in kept]
    known = [value for value in (*levels, *(one.plain for one in kept)) if value is not None]
    ends = [e for v in known for e in (v.value, v.low, v.high) if 0 < e < np.inf] + [1.0]
    left, right = min(ends) / 1.3, max(ends) * 1.6
    kinds = (
        (-0.19, levels, MATCHED, "", "at the method's best quality"),
        (0.19, [o.plain for o in kept], PLAIN, "///", "typical settings, whatever the quality"),
    )
    for shift, values, color, hatch, label in kinds:
        ax.barh([-9], [1], color=color, hatch=hatch, edgecolor="white", linewidth=0.5, label=label)
        for place, (one, value) in enumerate(zip(kept, values, strict=True)):
            if value is None:
                _beside(ax, one.faster.status if one.faster else "", 1, place + shift)
                continue
            low, high = (value.low, value.high) if value.known else (value.value, value.value)
            ax.barh(place + shift, value.value - 1, left=1, height=0.32, color=color, hatch=hatch,
                    edgecolor="white", linewidth=0.5)  # fmt: skip
            spans = [[value.value - max(low, left)], [high - value.value]]  # 0 has no place on it
            ax.errorbar(value.value, place + shift, xerr=spans, fmt="none", ecolor=style.INK,
                        elinewidth=1)  # fmt: skip
            bound = values is levels and one.faster and one.faster.status == "at least"
            text = f"{'≥ ' if bound else ''}{value.value:.2f}×"
            _beside(ax, text, max(high, value.value, 1), place + shift)
    ax.set_xscale("log")
    ax.set_xlim(left, max(right, 4))
    style.log_ticks(ax, "×")
    ax.axvline(1, color=style.INK, linewidth=0.8)
    style.rows(ax, [one.method for one in kept])
    ax.set_xlabel("times that LiDAR is faster (below 1: slower), log scale", fontsize=9)
    style.key_above(ax)
    return fig


def _beside(ax: Axes, text: str, x: float, y: float) -> None:
    ax.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8,
                color=style.INK)  # fmt: skip
