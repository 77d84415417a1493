"""Figures about what a method gains: GenEval by task, and who pays for a higher reward."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.report import style
from bench.report.style import Look


def by_task(tasks: pd.DataFrame, styles: dict[str, Look]) -> Figure | None:
    """A dot with its interval for each method within each task, tasks side by side; None where
    nothing was judged."""
    if tasks.empty:
        return None
    names = sorted(tasks.task.unique())
    labels = [label for label in styles if label in set(tasks.label)]
    width = max(6.4, 1.0 + len(names) * (0.55 + 0.16 * len(labels)))
    fig, (ax,) = style.figure(width, 4.2)
    offsets = np.linspace(-0.36, 0.36, len(labels)) if len(labels) > 1 else np.zeros(1)
    for label, offset in zip(labels, offsets, strict=True):
        own = tasks[tasks.label == label]
        spans = np.maximum(np.stack([own.share - own.low, own.high - own.share]), 0)
        ax.errorbar(
            [names.index(task) + offset for task in own.task], own.share, yerr=spans,
            fmt=styles[label].marker, color=styles[label].color, markersize=styles[label].size - 1,
            markeredgewidth=0, elinewidth=1,
            label=style.plain(label),
        )  # fmt: skip
    for edge in np.arange(len(names) - 1) + 0.5:
        ax.axvline(edge, color=style.FAINT, linewidth=0.8)
    sizes = tasks.groupby("task").prompts.max()
    ticks = [f"{name.replace('_', ' ')}\n{sizes[name]} prompts" for name in names]
    ax.set_xticks(range(len(names)), [style.plain(text) for text in ticks])
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylim(-0.03, 1.03)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("share of images correct")
    ax.set_title("GenEval by task, 95% intervals over prompts", fontsize=10, loc="left")
    fig.legend(loc="outside lower center", ncols=min(len(labels), 5), fontsize=8, frameon=False)
    return fig


def tradeoff(
    summary: pd.DataFrame, scores: tuple[str, ...], styles: dict[str, Look]
) -> Figure | None:
    """Change of the guiding reward against change of each judge and of diversity, to vanilla.

    A method to the right of 0 and below it has paid for its reward with that judge. None where
    no cell can be compared with vanilla.
    """
    reward, *judges = scores
    x = f"score.{reward}.change"
    targets = [(f"score.{judge}.change", judge) for judge in judges]
    targets = [
        t for t in (*targets, ("diversity.change", "diversity")) if summary[t[0]].notna().any()
    ]
    if not targets or not summary[x].notna().any():
        return None
    columns = min(len(targets), 3)
    rows = -(-len(targets) // columns)
    fig, axes = style.figure(0.6 + 4.0 * columns, 0.5 + 3.6 * rows, columns, rows)
    fig.suptitle(
        f"Reward hacking: change of the guiding reward ({style.plain(reward)}) against judges that "
        "did not guide, relative to vanilla", fontsize=10, x=0.01, ha="left",
    )  # fmt: skip
    for ax, (name, title) in zip(axes, targets, strict=False):
        frame = summary[summary[x].notna() & summary[name].notna()]
        for axis, column in (("x", x), ("y", name)):
            lows, highs = style.ends(frame, column)
            low, high = min(lows.min(), 0), max(highs.max(), 0)
            room = 0.2 * (high - low) or 0.1
            getattr(ax, f"set_{axis}lim")(low - room, high + room)
        ax.axhline(0, color=style.INK, linewidth=0.8, linestyle=":")
        ax.axvline(0, color=style.INK, linewidth=0.8, linestyle=":")
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.set_xlabel(f"change of {style.plain(reward)} (guides)", fontsize=9)
        ax.set_ylabel(f"change of {style.plain(title)}", fontsize=9)
        frame = summary[summary[x].notna() & summary[name].notna()]
        style.scatter(ax, frame, x, name, styles)
    for ax in axes[len(targets) :]:
        ax.remove()
    drawn = [ax.get_legend_handles_labels() for ax in axes[: len(targets)]]
    handles = {label: h for found in drawn for h, label in zip(*found, strict=True)}
    fig.legend(
        handles.values(), handles.keys(), loc="outside lower center", fontsize=8, frameon=False,
        ncols=min(len(handles), 2 * columns),
    )  # fmt: skip
    return fig
