"""Figures about what a method costs: GenEval against cost, and the plain cost ratios."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.report import style
from bench.report.style import Look


def geneval_vs_cost(summary: pd.DataFrame, styles: dict[str, Look]) -> Figure | None:
    """GenEval over cost relative to vanilla, log scale; None where either was not measured."""
    timed = summary[summary.cost.notna() & summary.geneval.notna()]
    if timed.empty:
        return None
    fig, (ax,) = style.figure(7.2, 4.6)
    lows, highs = style.ends(timed, "cost")
    low, high = lows.min(), highs.max()
    room = max((high / low) ** 0.15, 1.15)
    ax.set_xscale("log")
    ax.set_xlim(low / room, high * room)
    lows, highs = style.ends(timed, "geneval")
    _pad(ax, lows.min(), highs.max())
    _plain_log(ax)
    ax.set_xlabel("cost: seconds relative to vanilla sampling on the same prompts (log scale)")
    ax.set_ylabel("GenEval: mean over tasks of the share correct")
    ax.set_title("GenEval against cost, 95% intervals over prompts", fontsize=10, loc="left")
    style.scatter(ax, timed, "cost", "geneval", styles)
    style.name_points(ax, timed, "cost", "geneval", styles)
    return fig


def plain_cost(summary: pd.DataFrame, styles: dict[str, Look]) -> Figure | None:
    """Cost bars split by phase and, if there is one lidar cell, its plain speedup over the others.

    None where no cost was measured.
    """
    timed = summary[summary.cost.notna()]
    if timed.empty:
        return None
    lidar = "lidar_speedup" in timed and timed.lidar_speedup.notna().any()
    height = 1.7 + 0.34 * len(timed)
    fig, axes = style.figure(10.2 if lidar else 6.2, height, columns=2 if lidar else 1)
    _phase_bars(axes[0], timed)
    if lidar:
        _speedup(axes[1], timed, styles)
    fig.suptitle(
        "Plain cost ratios at these settings, not at matched quality",
        fontsize=10,
        x=0.01,
        ha="left",
    )
    return fig


def _phase_bars(ax: Axes, timed: pd.DataFrame) -> None:
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
    _rows(ax, places, timed)
    ax.set_xlabel("seconds / vanilla seconds (mean), by phase", fontsize=9)
    ax.legend(fontsize=8, frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(-0.02, 1.0))


def _speedup(ax: Axes, timed: pd.DataFrame, styles: dict[str, Look]) -> None:
    """LiDAR's speedup in the rows of `_phase_bars`; its own row stays empty."""
    places = np.arange(len(timed))
    others = (timed.method != "lidar") & timed.lidar_speedup.notna()
    spans = style.errors(timed, "lidar_speedup")[:, others]
    for place, span, row in zip(places[others], spans.T, timed[others].itertuples(), strict=True):
        look = styles[str(row.label)]
        ax.errorbar(row.lidar_speedup, place, xerr=span[:, None], fmt=look.marker, elinewidth=1.1,
                    color=look.color, markersize=look.size, markeredgewidth=0)  # fmt: skip
        end = row.lidar_speedup + span[1]
        ax.annotate(f"{row.lidar_speedup:.2f}×", (end, place), xytext=(7, 0), va="center",
                    textcoords="offset points", fontsize=8, color=style.INK)  # fmt: skip
    ax.axvline(1, color=style.INK, linewidth=0.8, linestyle=":")
    lows, highs = style.ends(timed, "lidar_speedup")
    low, high = min(lows.min(), 1), max(highs.max(), 1)
    room = max((high / low) ** 0.12, 1.15)
    ax.set_xscale("log")
    ax.set_xlim(low / room, high * room**1.8)
    _plain_log(ax)
    _rows(ax, places, timed)
    ax.set_xlabel("times that LiDAR is faster (below 1: slower), log scale", fontsize=9)
    ax.set_title("LiDAR's plain speedup over each method", fontsize=9, loc="left")


def _rows(ax: Axes, places: np.ndarray, frame: pd.DataFrame) -> None:
    ax.set_yticks(places, [style.plain(label) for label in frame.label])
    ax.set_ylim(len(places) - 0.45, -0.65)
    ax.grid(axis="y", visible=False)


def _pad(ax: Axes, low: float, high: float) -> None:
    room = max(0.12 * (high - low), 0.05)
    ax.set_ylim(low - room, high + room)
    ax.yaxis.set_major_locator(MaxNLocator(6))


def _plain_log(ax: Axes) -> None:
    """Ticks on a log axis as plain numbers with a ×, at steps that suit the range."""
    low, high = ax.get_xlim()
    steps = (1, 2, 5) if high / low > 6 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    ticks = [s * 10.0**e for e in range(-4, 6) for s in steps]
    if high / low < 2:
        ticks = list(MaxNLocator(5).tick_values(low, high))
    shown = [t for t in ticks if low <= t <= high]
    ax.set_xticks(shown)
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
