"""Labels beside points that cover neither points, nor bars, nor each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from bench.report import style
from bench.report.style import DPI, plain


def name_points(
    ax: Axes, frame: pd.DataFrame, x: str, y: str, styles: dict[str, style.Look], text: str
) -> None:
    """The column ``text`` beside each point of `style.scatter`."""
    bars: list[tuple[float, float]] = []
    spans = (frame[x], *style.ends(frame, x)), (frame[y], *style.ends(frame, y))
    for along, across in zip(*spans, strict=True):
        bars += list(zip(along, frame[y], strict=True))
        bars += list(zip(frame[x], across, strict=True))
    names = [(row[text], styles[row.label].color) for _, row in frame.iterrows()]
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
