"""Figure of LiDAR's speedups: at matched quality where both were swept, else plain ratios."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import stats
from bench.report import style
from bench.report.speedups import Speedup

MATCHED, PLAIN = "#D55E00", "#7F7F7F"


def saved(found: list[Speedup]) -> Figure | None:
    """A row a method: bars from 1×, to the right where LiDAR is faster; None without any."""
    kept = [s for s in found if s.faster is not None or s.plain.value == s.plain.value]
    if not kept:
        return None
    fig, (ax,) = style.figure(8.2, 1.5 + 0.5 * len(kept))
    every = [s.plain for s in kept] + [s.faster.value for s in kept if s.faster and s.faster.value]
    ends = [1.0, *(e for v in every for e in (v.value, v.low, v.high) if 0 < e < float("inf"))]
    room = max((max(ends) / min(ends)) ** 0.15, 1.3)
    left = min(ends) / room
    for place, one in enumerate(kept):
        level = one.faster.value if one.faster is not None else None
        bars = [(level, MATCHED, ""), (one.plain, PLAIN, "///")]
        for row, (value, color, hatch) in enumerate(bars):
            at = place - 0.19 + 0.38 * row
            if value is not None and value.value == value.value:
                text = f"{value.value:.2f}×"
                if row == 0 and one.faster is not None and one.faster.status == "at least":
                    text = f"≥ {text}"
                _bar(ax, at, value, color, hatch, text, left)
            elif row == 0:
                said = one.faster.status if one.faster else f"no matched quality: {one.reason}"
                ax.annotate(said, (1, at), xytext=(6, 0), textcoords="offset points", fontsize=8,
                            color=style.INK, va="center")  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlim(left, max(max(ends) * room, 4))
    style.log_ticks(ax, "×")
    ax.axvline(1, color=style.INK, linewidth=0.8)
    style.rows(ax, [one.method for one in kept])
    ax.set_xlabel("times that LiDAR is faster (below 1: slower), log scale", fontsize=9)
    for color, hatch, label in (
        (MATCHED, "", "at the method's best GenEval"),
        (PLAIN, "///", "plain ratio at typical settings, whatever the quality"),
    ):
        ax.barh([-9], [1], color=color, hatch=hatch, edgecolor="white", linewidth=0.5, label=label)
    ax.legend(fontsize=8, frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
    return fig


def _bar(
    ax: Axes, at: float, value: stats.Interval, color: str, hatch: str, text: str, left: float
) -> None:
    """A bar from 1× to the value with its interval; an end of 0, which a log axis has no place
    for, is at its ``left`` edge."""
    low, high = (value.low, value.high) if value.known else (value.value, value.value)
    low = max(low, left)
    ax.barh(at, value.value - 1, left=1, height=0.32, color=color, hatch=hatch, edgecolor="white",
            linewidth=0.5)  # fmt: skip
    ax.errorbar(value.value, at, xerr=[[value.value - low], [high - value.value]], fmt="none",
                ecolor=style.INK, elinewidth=1)  # fmt: skip
    ax.annotate(text, (max(high, value.value, 1), at), xytext=(5, 0), textcoords="offset points",
                va="center", fontsize=8, color=style.INK)  # fmt: skip
