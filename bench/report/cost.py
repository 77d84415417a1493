"""Figures about what a method costs: GenEval against cost with frontiers, and cost by phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench import stats
from bench.report import choice, style
from bench.report.load import Results
from bench.report.place import name_points
from bench.report.style import Look
from bench.report.sweeps import by_cost, sweeps

Frontiers = Mapping[str, list[stats.Point]]


def by_target(
    results: Results, summary: pd.DataFrame, styles: dict[str, Look]
) -> Iterator[tuple[str, str, Figure | None]]:
    """`geneval_vs_cost` for every target solver and steps, the commonest first: they have different
    vanillas, so different units of cost. (name, what to add to its title, figure)."""
    targets = results.cells.groupby(["solver", "steps"], sort=False).size()
    for place, (solver, steps) in enumerate(
        targets.sort_values(ascending=False, kind="stable").index
    ):
        own = results.cells[(results.cells.solver == solver) & (results.cells.steps == steps)]
        part = replace(results, cells=own)
        shown = summary[summary.index.isin(own.index)]
        of = f", {solver} in {steps} steps" if len(targets) > 1 else ""
        name = "geneval_vs_cost" + (f"_{solver}_{steps}" if place else "")
        yield name, of, geneval_vs_cost(shown, styles, frontiers(part))


def frontiers(results: Results) -> Frontiers:
    """The cost–quality frontier of every method whose budget was swept."""
    found = {}
    for method in dict.fromkeys(choice.family(str(m)) for m in results.cells.method):
        group = by_cost(results, choice.budget(results.cells, method))
        swept = sweeps(results, [group], least=2) if len(group) > 1 else None  # values alone
        if swept is not None:
            found[method] = stats.points(swept[0])
    return found


def geneval_vs_cost(
    summary: pd.DataFrame, styles: dict[str, Look], lines: Frontiers
) -> Figure | None:
    """GenEval over cost relative to vanilla, log scale; None where either was not measured.

    A line is a method's frontier: the best GenEval for at most each cost.
    """
    timed = summary[summary.cost.notna() & summary.geneval.notna()]
    if timed.empty:
        return None
    many = style.crowded(timed)
    fig, (ax,) = style.figure(*((8.6, 6.4) if many else (7.2, 4.6)))
    lows, highs = style.ends(timed, "cost")
    low, high = lows.min(), highs.max()
    room = max((high / low) ** 0.15, 1.15)
    ax.set_xscale("log")
    ax.set_xlim(low / room, high * room)
    lows, highs = style.ends(timed, "geneval")
    _pad(ax, lows.min(), highs.max())
    style.log_ticks(ax, "×")
    ax.set_xlabel("cost: seconds relative to vanilla sampling on the same prompts (log scale)")
    ax.set_ylabel("GenEval: mean over tasks of the share correct")
    ax.set_title("GenEval against cost, 95% intervals over prompts", fontsize=10, loc="left")
    colors = {str(row.method): styles[str(row.label)].color for row in timed.itertuples()}
    for method, points in lines.items():
        way = [p.cost.value for p in points], [p.frontier.value for p in points]
        ax.plot(*way, color=colors.get(method, style.INK), linewidth=1.4, alpha=0.6, zorder=2)
    timed = timed.assign(called=style.names(timed))
    style.scatter(ax, timed, "cost", "geneval", styles)
    if many:
        style.legend(fig, [ax], 5)
    name_points(ax, timed, "cost", "geneval", styles, "short" if many else "label")
    return fig


def phases(summary: pd.DataFrame) -> Figure | None:
    """Cost relative to vanilla as bars split by phase; None where no cost was measured."""
    timed = summary[summary.cost.notna()]
    if timed.empty:
        return None
    fig, (ax,) = style.figure(8.2, 1.5 + 0.3 * len(timed))
    places = np.arange(len(timed))
    left = np.zeros(len(timed))
    for phase, color in style.PHASES.items():
        width = timed[f"cost.{phase}"].to_numpy(float)
        ax.barh(places, width, left=left, color=color, height=0.62, label=phase,
                hatch=style.HATCHES[phase], edgecolor="white", linewidth=0.5)  # fmt: skip
        left += width
    ax.errorbar(timed.cost, places, xerr=style.errors(timed, "cost"), fmt="none",
                ecolor=style.INK, elinewidth=1)  # fmt: skip
    _, highs = style.ends(timed, "cost")
    for place, row in zip(places, timed.itertuples(), strict=True):
        end = max(highs[row.Index], row.cost)
        ax.annotate(f"{row.cost:.2f}×", (end, place), xytext=(5, 0), textcoords="offset points",
                    va="center", fontsize=8, color=style.INK)  # fmt: skip
    ax.axvline(1, color=style.INK, linewidth=0.8, linestyle=":")
    ax.set_xlim(0, highs.max() * 1.14)
    style.rows(ax, timed.label)
    ax.set_xlabel("seconds / vanilla seconds (mean), by phase", fontsize=9)
    ax.legend(fontsize=8, frameon=False, ncols=4, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    return fig


def _pad(ax: Axes, low: float, high: float) -> None:
    room = max(0.12 * (high - low), 0.05)
    ax.set_ylim(low - room, high + room)
    ax.yaxis.set_major_locator(MaxNLocator(6))
