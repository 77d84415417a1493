"""Figures of the methods' distances: along each knob, and against the problems' size."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.report import style
from bench.report.truth.figures import COLORS, logarithmic
from bench.report.truth.knobs import Sweep
from bench.report.truth.read import PERFECT

COLUMNS = 3
FACTORS = (0.8, 1, 1.2, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def knobs(sweeps: Sequence[Sweep], summary: pd.DataFrame, main: str, name: str) -> Figure | None:
    """A panel for each knob; None where none was swept."""
    if not sweeps:
        return None
    rows = -(-len(sweeps) // COLUMNS)
    fig, axes = style.figure(3.4 * COLUMNS, 3.1 * rows, columns=COLUMNS, rows=rows)
    known = summary.set_index("label")
    vanilla = summary[summary.method == "vanilla"]
    for ax, sweep in zip(axes, sweeps, strict=False):
        if PERFECT in known.index:
            ends = known.loc[PERFECT]
            ax.axhspan(ends[f"{main}.low"], ends[f"{main}.high"], color=style.FAINT, zorder=0)
        for value in vanilla[main]:
            ax.axhline(value, color=style.INK, linewidth=1, linestyle=":")
        points = sweep.points
        ax.errorbar(points.x, points[main], yerr=style.errors(points, main), color=COLORS[0],
                    marker="D", markersize=5, linewidth=1.2, elinewidth=1.2)  # fmt: skip
        logarithmic(ax, sorted(sweep.points.x))
        times(ax)
        ax.set_title(sweep.name, fontsize=9, loc="left")
    for ax in axes[::COLUMNS]:
        ax.set_ylabel(name, fontsize=9)
    for ax in axes[len(sweeps) :]:
        ax.set_visible(False)
    return fig


def sizes(
    sized: pd.DataFrame, labels: Sequence[str], main: str, size: str, name: str
) -> Figure | None:
    """A line for each label over the problems' size; None where all are of one size."""
    if sized.empty:
        return None
    fig, (ax,) = style.figure(7.2, 4.2)
    for place, label in enumerate(labels):
        own = sized[sized.label == label].sort_values("size")
        color, marker = COLORS[place % len(COLORS)], style.MARKERS[place % len(style.MARKERS)]
        ax.plot(own["size"], own[main], color=color, marker=marker, markersize=6, label=label)
    logarithmic(ax, sorted(sized["size"].unique()))
    times(ax)
    ax.set_xlabel(size, fontsize=9)
    ax.set_ylabel(name, fontsize=9)
    style.legend(fig, [ax], 2)
    return fig


def times(ax: Axes) -> None:
    """Round factors on the vertical axis, and no ticks between."""
    ax.minorticks_off()
    low, high = ax.get_ylim()
    ax.set_yticks([tick for tick in FACTORS if low <= tick <= high])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
