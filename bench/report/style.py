"""What every figure shares: one look a method, plain text, names beside points.

Figures are made from `matplotlib.figure.Figure` and never through pyplot, so that a report leaves
no global state behind and needs no display.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

DPI = 160
CROWD = 10  # cells, more than can be told apart by markers
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
    # More of the same and combinations: the color of what they are made of.
    "vanilla_more_steps": ("#000000", "d"),
    "lidar_smc": ("#D55E00", "*"),
    "lidar_tokens": ("#D55E00", "d"),
    "lidar_bon": ("#D55E00", "^"),
    "lidar_smc_bon": ("#D55E00", "8"),
    "smc_bon": ("#E69F00", "h"),
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

    An unknown method's color follows from its name. Variants of a method share its color, and in a
    crowd its marker. With more labels than markers, markers come back.
    """
    chosen: dict[str, Look] = {}
    methods: dict[str, Look] = {}
    for row in summary.itertuples():
        method, used = str(row.method), {look.marker for look in chosen.values()}
        if crowded(summary) and method in methods:
            chosen[str(row.label)] = methods[method]
            continue
        spare = SPARE[zlib.crc32(method.encode()) % len(SPARE)]
        color, marker = KNOWN.get(method, (spare, MARKERS[0]))
        free = [m for m in (marker, *MARKERS) if m not in used] or [marker]
        methods[method] = chosen[str(row.label)] = Look(color, free[0])
    return chosen


def crowded(summary: pd.DataFrame) -> bool:
    """More cells than one can tell apart by markers: a method's cells then share one look."""
    return len(summary) > CROWD


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
    """Write the figure as PNG or PDF, by the suffix of ``path``; the same figure gives the same
    bytes on the same machine."""
    about = (
        {"CreationDate": None, "Producer": None} if path.suffix == ".pdf" else {"Software": None}
    )
    if fig.get_layout_engine() is not None:  # laid out once for all of its files: it is dear
        fig.draw_without_rendering()
        fig.set_layout_engine(None)
    fig.savefig(path, dpi=DPI, metadata=about)
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


def scatter(
    ax: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    styles: dict[str, Look],
    hollow: Collection[str] = (),
) -> None:
    """A point with both intervals for each row, those of the methods ``hollow`` without filling; in
    a crowd the cells of a method share a name."""
    called = "method" if len(styles) > CROWD else "label"
    for name, own in frame.groupby(called, sort=False):
        look = styles[str(own.label.iloc[0])]
        ax.errorbar(
            own[x], own[y], xerr=errors(own, x), yerr=errors(own, y), fmt=look.marker,
            color=look.color, markersize=look.size, elinewidth=1.1, zorder=3,
            label=plain(str(name)), markeredgewidth=1.6 * (own.method.iloc[0] in hollow),
            markerfacecolor="white" if own.method.iloc[0] in hollow else look.color,
        )  # fmt: skip


def legend(fig: Figure, axes: Sequence[Axes], columns: int) -> None:
    """One legend below the figure for whatever its axes name, each name once."""
    found: dict[str, Artist] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    fig.legend(
        list(found.values()), list(found), loc="outside lower center", fontsize=8, frameon=False,
        ncols=min(len(found), columns),
    )  # fmt: skip


def log_ticks(ax: Axes, unit: str = "") -> None:
    """Ticks on a log x axis as plain numbers with ``unit``, at steps that suit the range."""
    low, high = ax.get_xlim()
    steps: tuple[float, ...] = (1, 2, 5) if high / low > 6 else (1, 1.5, 2, 3, 4, 5, 6, 8)
    if high / low > 60:
        steps = (1, 3) if high / low < 1000 else (1,)
    ticks = [s * 10.0**e for e in range(-4, 6) for s in steps]
    if high / low < 2:
        ticks = list(MaxNLocator(5).tick_values(low, high))
    ax.set_xticks([t for t in ticks if low <= t <= high])
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}{unit}"))


def rows(ax: Axes, labels: Sequence[str]) -> None:
    """One row a label, the first at the top."""
    ax.set_yticks(range(len(labels)), [plain(str(label)) for label in labels])
    ax.set_ylim(len(labels) - 0.45, -0.65)
    ax.grid(axis="y", visible=False)


def pad(ax: Axes, axis: str, frame: pd.DataFrame, name: str, *others: float) -> None:
    """Room around the intervals of ``name``, on the x or y axis, and around ``others``."""
    low, high = ends(frame, name)
    least, most = min([low.min(), *others]), max([high.max(), *others])
    room = 0.15 * (most - least) or 0.05
    getattr(ax, f"set_{axis}lim")(least - room, most + room)
    getattr(ax, f"{axis}axis").set_major_locator(MaxNLocator(6))


def name_points(ax: Axes, frame: pd.DataFrame, x: str, y: str, text: str) -> None:
    """The column ``text`` beside each point of `scatter`, where it covers least: of places on
    circles around the point, each name takes the best one that the names before have left."""
    fig = ax.get_figure(root=True)
    assert fig is not None
    fig.canvas.draw()  # settles the layout, so that display coordinates hold
    window, unit = ax.get_window_extent(), DPI / 72
    anchors = ax.transData.transform(frame[[x, y]].to_numpy(float))
    corners = [anchors]
    for along, across in zip(ends(frame, x), ends(frame, y), strict=True):
        corners.append(ax.transData.transform(np.stack([along, frame[y]], axis=1)))
        corners.append(ax.transData.transform(np.stack([frame[x], across], axis=1)))
    bars = [(corners[0], corners[k]) for k in range(5)]  # points, and each half of their intervals
    low = np.concatenate([np.minimum(*bar) for bar in bars]) - 3 * unit
    high = np.concatenate([np.maximum(*bar) for bar in bars]) + 3 * unit
    radii, angles = (9, 16, 24, 34, 46, 60, 80), np.deg2rad([30, 330, 150, 210, 90, 270, 0, 180])
    ways = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    for (_, row), anchor in zip(frame.iterrows(), anchors, strict=True):
        note = ax.annotate(plain(row[text]), (row[x], row[y]), xytext=(0, 0),
                           textcoords="offset points", fontsize=8, color=INK, ha="center",
                           va="center", zorder=4, annotation_clip=False)  # fmt: skip
        half = np.array(note.get_window_extent().size) / 2
        shifts = np.concatenate([ways * (radius * unit + half) for radius in radii])
        least, most = anchor + shifts - half, anchor + shifts + half
        clear = (least[:, None] >= high) | (most[:, None] <= low)
        covered = (~clear.any(axis=2)).sum(axis=1)
        outside = ((least < window.min) | (most > window.max)).any(axis=1)
        near = np.hypot(*np.moveaxis(anchors[:, None] - anchor - shifts, -1, 0)).min(axis=0)
        reach = np.hypot(*shifts.T)
        astray = near < reach - 1e-9  # it would read as another point's name
        best = np.argmin(3 * covered + 10 * outside + astray + 1e-3 * reach)
        note.set_position(tuple(shifts[best] / unit))
        low, high = np.vstack([low, least[best]]), np.vstack([high, most[best]])


def phase_bars(ax: Axes, parts: pd.DataFrame, labels: Sequence[str]) -> None:
    """A bar a row of ``parts``, split by phase; its columns are the phases."""
    places, left = np.arange(len(parts)), np.zeros(len(parts))
    for phase, color in PHASES.items():
        width = parts[phase].to_numpy(float)
        ax.barh(places, width, left=left, color=color, height=0.62, label=phase,
                hatch=HATCHES[phase], edgecolor="white", linewidth=0.5)  # fmt: skip
        left += width
    ax.axvline(1, color=INK, linewidth=0.8, linestyle=":")
    rows(ax, labels)


def key_above(ax: Axes) -> None:
    """The legend in one line above the axes."""
    ax.legend(fontsize=8, frameon=False, ncols=5, loc="lower left", bbox_to_anchor=(-0.02, 1.0))
