"""Figures about what a method costs: quality against cost, and cost by phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import stats
from bench.report import choice, clock, style
from bench.report.controls import UNGUIDED
from bench.report.load import Results
from bench.report.style import Look
from bench.report.sweeps import calls_ratio

Frontiers = Mapping[str, tuple[stats.Array, stats.Array]]  # method -> costs, best qualities
EQUAL, STEP = 1.02, 1.035  # costs that are drawn as one, and the step from one point to the next


def calls(results: Results, summary: pd.DataFrame) -> pd.Series:
    """Calls of the denoiser, forward and backward, relative to the vanilla cell's; NaN where that
    is of another target solver or steps."""
    known = {
        cell: calls_ratio(results, cell)
        for cell, base in results.references.items()
        if cell in summary.index and choice.same_target(results.cells, cell, base)
    }
    return summary.index.to_series().map(known).astype(float)


def counted(results: Results, summary: pd.DataFrame) -> pd.DataFrame:
    """The summary with what quality is drawn over, as ``spent``: seconds or calls (`clock.unit`),
    relative to vanilla; ``unit`` says which."""
    timed = clock.unit(results) == "seconds"
    spent = summary.cost if timed else calls(results, summary)
    ends = {f"spent.{end}": summary[f"cost.{end}"] if timed else spent for end in ("low", "high")}
    unit = "seconds" if timed else "calls of the denoiser"
    return summary.assign(spent=spent, **ends, unit=unit)


def by_target(
    results: Results, summary: pd.DataFrame, looks: dict[str, Look]
) -> Iterator[tuple[str, str, Figure | None]]:
    """`quality_vs_cost` for every target solver and steps, the commonest first: they have different
    vanillas, so different units of cost. (name, what to add to its title, figure)."""
    targets = results.cells.groupby(["solver", "steps"], sort=False).size()
    ordered = targets.sort_values(ascending=False, kind="stable").index
    for place, (solver, steps) in enumerate(ordered):
        own = results.cells[(results.cells.solver == solver) & (results.cells.steps == steps)]
        shown = counted(results, summary[summary.index.isin(own.index)])
        of = f", {solver} in {steps} steps" if len(targets) > 1 else ""
        name = f"{results.quality.replace('.', '_')}_vs_cost"
        name += f"_{solver}_{steps}" if place else ""
        lines = frontiers(own, shown, results.quality)
        yield name, of, quality_vs_cost(results, shown, looks, lines)


def frontiers(cells: pd.DataFrame, summary: pd.DataFrame, quality: str) -> Frontiers:
    """The best quality for at most each cost, of every method whose budget was swept in
    ``cells``."""
    found = {}
    cells = cells.assign(base=choice.bases(cells))
    for method in dict.fromkeys(choice.family(str(m)) for m in cells.method):
        group = [cell for cell in choice.budget(cells, method) if cell in summary.index]
        own = summary.loc[group].dropna(subset=["spent", quality]).sort_values("spent")
        if len(own) > 1:
            found[method] = own.spent.to_numpy(float), own[quality].cummax().to_numpy(float)
    return found


def quality_vs_cost(
    results: Results, summary: pd.DataFrame, looks: dict[str, Look], lines: Frontiers
) -> Figure | None:
    """Quality over cost relative to vanilla (`counted`), log scale; None where either was not
    measured. Controls are hollow; the dotted line is vanilla's quality.

    A line is a method's frontier. Of many cells those beside their method's typical one are small,
    without a name and without intervals.
    """
    known = summary[summary.spent.notna() & summary[results.quality].notna()]
    if known.empty:
        return None
    many = style.crowded(known)
    typical = known.typical | ~known.method.isin(known.method[known.typical])
    named = known[typical] if many and known.typical.any() else known
    fig, (ax,) = style.figure(*((8.6, 5.6) if many else (7.6, 4.6)))
    lows, highs = style.ends(known, "spent")
    room = max((highs.max() / lows.min()) ** 0.15, 1.15)
    ax.set_xscale("log")
    ax.set_xlim(lows.min() / room, highs.max() * room)
    style.pad(ax, "y", named, results.quality, *known[results.quality])
    style.log_ticks(ax, "×")
    ax.set_xlabel(f"cost: {known.unit.iloc[0]} relative to vanilla sampling (log scale)")
    ax.set_ylabel(style.plain(results.axis))
    bases = known[known.method == "vanilla"]
    if len(bases):
        base = bases[bases.typical] if bases.typical.any() else bases
        ax.axhline(base[results.quality].iloc[0], color=style.INK, linewidth=0.9, linestyle=":")
    colors = {str(row.method): looks[str(row.label)].color for row in known.itertuples()}
    for method, (cost, best) in lines.items():
        color = colors.get(method, style.INK)
        ax.plot(cost, best, color=color, linewidth=1.4, alpha=0.6, zorder=2)
    rest = known.drop(named.index)
    ax.scatter(rest.spent, rest[results.quality], s=9, c=[colors[m] for m in rest.method], zorder=2)
    apart = beside(named, results.quality)
    style.scatter(ax, apart, "spent", results.quality, looks, hollow=UNGUIDED)
    style.name_points(ax, apart, "spent", results.quality, "label" if not many else "method")
    return fig


def beside(frame: pd.DataFrame, quality: str) -> pd.DataFrame:
    """Points of one cost moved side by side, in order of quality, so that each can be seen; those
    with an interval of their cost stay where they are."""
    known = frame["spent.low"] < frame["spent.high"]
    groups = np.log(frame.spent).div(np.log(EQUAL)).round().mask(known)
    ordered = frame[quality].groupby(groups)
    place = ordered.rank(method="first") - (ordered.transform("count") + 1) / 2
    moved = STEP ** place.fillna(0.0)
    ends = {name: frame[name] * moved for name in ("spent", "spent.low", "spent.high")}
    return frame.assign(**ends)


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


def _beside(ax: Axes, text: str, x: float, y: float) -> None:
    ax.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8,
                color=style.INK)  # fmt: skip
