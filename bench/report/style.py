"""What every figure shares: one look a method, plain text, labels that do not overlap.

Figures are made from `matplotlib.figure.Figure` and never through pyplot, so that a report leaves
no global state behind and needs no display.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

DPI = 160
INK = "#222222"
FAINT = "#d9d9d9"
# Okabe and Ito's palette without its yellow, which is unreadable on paper, plus a grey and a brown.
KNOWN = {
    "vanilla": ("#000000", "o"),
    "lidar": ("#D55E00", "D"),
    "ug": ("#0072B2", "s"),
    "rollout": ("#009E73", "^"),
    "date": ("#CC79A7", "v"),
    "fk_smc": ("#E69F00", "P"),
    "search": ("#56B4E9", "X"),
    "best_of_n": ("#7F7F7F", "<"),
    "best_of_lookahead": ("#8C510A", ">"),
}
SPARE = ("#56B4E9", "#E69F00", "#7F7F7F", "#CC79A7", "#8C510A", "#009E73")
MARKERS = ("*", "h", "d", "p", "8", "<", ">", "X", "P", "v", "^", "s", "D", "o")
PHASES = {
    "prepare": "#0072B2",
    "annotate": "#CC79A7",
    "denoise": "#E69F00",
    "decode": "#56B4E9",
}
HATCHES = {"prepare": "", "annotate": "\\\\\\", "denoise": "///", "decode": "..."}


@dataclass(frozen=True)
class Look:
    """How one label is drawn."""

    color: str
    marker: str

    @property
    def size(self) -> int:
        """Marker size in points; a star's area is small for its width."""
        return 10 if self.marker == "*" else 7


def looks(summary: pd.DataFrame) -> dict[str, Look]:
    """A look for each label: color by method, the same in every report, and a marker of its own.

    An unknown method's color follows from its name. Variants of a method share its color. With
    more labels than markers, markers come back.
    """
    chosen: dict[str, Look] = {}
    for row in summary.itertuples():
        method, used = str(row.method), {look.marker for look in chosen.values()}
        spare = SPARE[zlib.crc32(method.encode()) % len(SPARE)]
        color, marker = KNOWN.get(method, (spare, MARKERS[0]))
        free = [m for m in (marker, *MARKERS) if m not in used] or [marker]
        chosen[str(row.label)] = Look(color, free[0])
    return chosen


def figure(
    width: float, height: float, columns: int = 1, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure of width × height inches with its axes in reading order."""
    fig = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(fig)
    axes = np.atleast_1d(fig.subplots(rows, columns)).ravel().tolist()
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=8, colors=INK)
        ax.grid(color=FAINT, linewidth=0.6)
        ax.set_axisbelow(True)
    return fig, axes


def save(fig: Figure, path: Path) -> Path:
    """Write the figure as PNG; the same figure gives the same bytes on the same machine."""
    fig.savefig(path, dpi=DPI, metadata={"Software": None})
    return path


def plain(text: str) -> str:
    """``text`` with its dollars escaped: matplotlib would read them as mathematics."""
    return text.replace("$", r"\$")


def errors(frame: pd.DataFrame, name: str) -> np.ndarray:
    """(2, n) lengths of the bars below and above ``name``, never negative."""
    low, high = ends(frame, name)
    below, above = frame[name] - low, high - frame[name]
    return np.maximum(np.stack([below.to_numpy(float), above.to_numpy(float)]), 0)


def ends(frame: pd.DataFrame, name: str) -> tuple[pd.Series, pd.Series]:
    """Low and high ends of the intervals of ``name``; the estimate where there is no interval."""
    low, high = (frame[f"{name}.{end}"].fillna(frame[name]) for end in ("low", "high"))
    return low, high


def scatter(ax: Axes, frame: pd.DataFrame, x: str, y: str, styles: dict[str, Look]) -> None:
    """A point with both intervals for each row."""
    for (_, row), xerr, yerr in zip(
        frame.iterrows(), errors(frame, x).T, errors(frame, y).T, strict=True
    ):
        look = styles[row.label]
        ax.errorbar(
            row[x], row[y], xerr=xerr[:, None], yerr=yerr[:, None], fmt=look.marker,
            color=look.color, markersize=look.size, markeredgewidth=0, elinewidth=1.1,
            zorder=3, label=plain(row.label),
        )  # fmt: skip


def name_points(ax: Axes, frame: pd.DataFrame, x: str, y: str, styles: dict[str, Look]) -> None:
    """Each label beside its point of `scatter`."""
    bars: list[tuple[float, float]] = []
    for along, across in zip((frame[x], *ends(frame, x)), (frame[y], *ends(frame, y)), strict=True):
        bars += list(zip(along, frame[y], strict=True))
        bars += list(zip(frame[x], across, strict=True))
    names = [(row.label, styles[row.label].color) for row in frame.itertuples()]
    place_labels(ax, list(zip(frame[x], frame[y], strict=True)), names, bars)


def place_labels(
    ax: Axes,
    points: Sequence[tuple[float, float]],
    names: Sequence[tuple[str, str]],
    occupied: Sequence[tuple[float, float]],
) -> None:
    """Write each (text, color) near its point (data units), clear of points, bars and each other.

    Candidates lie on circles of growing radius; the first that touches nothing and is nearest to
    its own point wins, else the least bad. ``occupied`` are the ends of the error bars, one list
    of ``points``' length after another.
    """
    fig = ax.get_figure(root=True)
    assert fig is not None
    fig.canvas.draw()  # settles the layout, so that display coordinates hold
    frame = ax.get_window_extent()
    unit = DPI / 72
    dots = ax.transData.transform(np.asarray([*points, *occupied], float))
    taken = [Bbox.from_bounds(x - 4 * unit, y - 4 * unit, 8 * unit, 8 * unit) for x, y in dots]
    taken += _bars(ax, points, occupied, unit)
    anchors = ax.transData.transform(np.asarray(points, float))
    for position, ((x, y), (text, color)) in enumerate(zip(points, names, strict=True)):
        note = ax.annotate(
            plain(text), (x, y), xytext=(0, 0), textcoords="offset points", fontsize=8,
            color=color, ha="center", va="center", zorder=4, annotation_clip=False,
            path_effects=[withStroke(linewidth=2, foreground="white")],
        )  # fmt: skip
        size = note.get_window_extent()
        center = anchors[position]
        best, least = (0.0, 0.0), np.inf
        for radius in (9, 16, 24, 34, 46, 60, 80):
            for angle in np.deg2rad([30, 330, 150, 210, 90, 270, 0, 180]):
                dx = np.cos(angle) * (radius * unit + size.width / 2)
                dy = np.sin(angle) * (radius * unit + size.height / 2)
                x0, y0 = center[0] + dx - size.width / 2, center[1] + dy - size.height / 2
                box = Bbox.from_bounds(x0, y0, size.width, size.height)
                hit = sum(_overlap(box, other) for other in taken)
                outside = box.width * box.height - _overlap(box, frame)
                near = np.hypot(*(anchors - center - np.array([dx, dy])).T)
                astray = np.argmin(near) != position  # it would read as another point's label
                bad = hit + 10 * outside + 300 * astray + radius * 1e-3
                if bad < least:
                    best, least, placed = (dx / unit, dy / unit), bad, box
            if least < 1:
                break
        note.set_position(best)
        taken.append(placed)
        if np.hypot(*best) > 24 + size.width / 2 / unit:
            ax.annotate(
                "", (x, y), xytext=best, textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.5},
            )  # fmt: skip


def _bars(
    ax: Axes,
    points: Sequence[tuple[float, float]],
    ends: Sequence[tuple[float, float]],
    unit: float,
) -> list[Bbox]:
    """Boxes around the error bars: from each point to each of its ends, 2 points thick."""
    start = ax.transData.transform(np.asarray(points, float))
    stop = ax.transData.transform(np.asarray(ends, float))
    boxes = []
    for position, (x, y) in enumerate(stop):
        x0, y0 = start[position % len(start)]
        boxes.append(Bbox.from_extents(min(x, x0) - unit, min(y, y0) - unit,
                                       max(x, x0) + unit, max(y, y0) + unit))  # fmt: skip
    return boxes


def _overlap(a: Bbox, b: Bbox) -> float:
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0.0) * max(height, 0.0)
