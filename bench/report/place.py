"""Labels beside points that cover neither points, nor bars, nor each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from bench.report import style
from bench.report.style import DPI, INK, plain

Point = tuple[float, float]
Segment = tuple[Point, Point]


def name_points(
    ax: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    styles: dict[str, style.Look],
    text: str,
    named: pd.Series | None = None,
) -> None:
    """The column ``text`` beside each point of `style.scatter`, or beside those ``named`` alone."""
    middle = list(zip(frame[x], frame[y], strict=True))
    bars: list[Segment] = []
    for along, across in zip(style.ends(frame, x), style.ends(frame, y), strict=True):
        bars += zip(middle, zip(along, frame[y], strict=True), strict=True)
        bars += zip(middle, zip(frame[x], across, strict=True), strict=True)
    shown = frame if named is None else frame[named]
    names = [(row[text], styles[row.label].color) for _, row in shown.iterrows()]
    place_labels(ax, list(zip(shown[x], shown[y], strict=True)), names, bars)


def place_labels(
    ax: Axes,
    points: Sequence[Point],
    names: Sequence[tuple[str, str]],
    bars: Sequence[Segment],
) -> None:
    """Write each (text, color) near its point (data units), clear of points, bars and each other.

    The color is that of the line to the point, drawn where the text stands far off.
    Candidates lie on circles of growing radius; the first that touches nothing and is nearest to
    its own point wins, else the least bad. ``bars``: error bars, from a point to an end.
    """
    fig = ax.get_figure(root=True)
    assert fig is not None
    fig.canvas.draw()  # settles the layout, so that display coordinates hold
    frame = ax.get_window_extent()
    unit = DPI / 72
    ends = [point for segment in bars for point in segment]
    dots = ax.transData.transform(np.asarray([*points, *ends], float))
    taken = [Bbox.from_bounds(x - 4 * unit, y - 4 * unit, 8 * unit, 8 * unit) for x, y in dots]
    taken += _bars(ax, bars, unit)
    anchors = ax.transData.transform(np.asarray(points, float))
    for position, ((x, y), (text, color)) in enumerate(zip(points, names, strict=True)):
        note = ax.annotate(
            plain(text), (x, y), xytext=(0, 0), textcoords="offset points", fontsize=8,
            color=INK, ha="center", va="center", zorder=4, annotation_clip=False,
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


def _bars(ax: Axes, bars: Sequence[Segment], unit: float) -> list[Bbox]:
    """Boxes around the error bars, 2 points thick."""
    boxes = []
    for (x0, y0), (x1, y1) in (ax.transData.transform(np.asarray(b, float)) for b in bars):
        boxes.append(Bbox.from_extents(min(x1, x0) - unit, min(y1, y0) - unit,
                                       max(x1, x0) + unit, max(y1, y0) + unit))  # fmt: skip
    return boxes


def _overlap(a: Bbox, b: Bbox) -> float:
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0.0) * max(height, 0.0)
