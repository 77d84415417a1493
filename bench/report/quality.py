"""Figures about what a method gains: GenEval by task, and who pays for a higher reward."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.report import style
from bench.report.style import Look


def by_task(tasks: pd.DataFrame, looks: dict[str, Look]) -> Figure | None:
    """A dot with its interval for each method within each task, tasks side by side; None where
    nothing was judged."""
    if tasks.empty:
        return None
    names = sorted(tasks.task.unique())
    labels = [label for label in looks if label in set(tasks.label)]
    width = max(6.4, 1.0 + len(names) * (0.55 + 0.12 * len(labels)))
    fig, (ax,) = style.figure(width, 4.2)
    offsets = np.linspace(-0.36, 0.36, len(labels)) if len(labels) > 1 else np.zeros(1)
    for label, offset in zip(labels, offsets, strict=True):
        own = tasks[tasks.label == label]
        spans = np.maximum(np.stack([own.share - own.low, own.high - own.share]), 0)
        ax.errorbar(
            [names.index(task) + offset for task in own.task], own.share, yerr=spans,
            fmt=looks[label].marker, color=looks[label].color, markersize=looks[label].size - 1,
            markeredgewidth=0, elinewidth=1, label=style.plain(label),
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
    style.legend(fig, [ax], 5)
    return fig


def hacking(
    summary: pd.DataFrame, scores: tuple[str, ...], looks: dict[str, Look]
) -> Figure | None:
    """Change of the guiding reward against change of GenEval, strict too, of clutter, and of each
    judge, to vanilla.

    A method to the right of 0 and below it has paid for its reward with that judge; the axis of
    clutter points down. None where no cell can be compared with vanilla.
    """
    reward, *judges = scores
    x = f"score.{reward}.change"
    targets = {"geneval.change": "GenEval", "strict.change": "strict GenEval"}
    targets |= {"clutter.change": "clutter (less is up)"}
    targets |= {f"score.{j}.change": j for j in judges}
    targets = {name: head for name, head in targets.items() if summary[name].notna().any()}
    if not targets or not summary[x].notna().any():
        return None
    columns = min(len(targets), 3)
    rows = -(-len(targets) // columns)
    fig, axes = style.figure(max(0.6 + 4.0 * columns, 6.4), 0.8 + 3.4 * rows, columns, rows)
    for ax, (name, head) in zip(axes, targets.items(), strict=False):
        frame = summary[summary[x].notna() & summary[name].notna()]
        style.pad(ax, "x", frame, x, 0)
        style.pad(ax, "y", frame, name, 0)
        if name == "clutter.change":
            ax.invert_yaxis()
        ax.axhline(0, color=style.INK, linewidth=0.8, linestyle=":")
        ax.axvline(0, color=style.INK, linewidth=0.8, linestyle=":")
        ax.set_xlabel(f"change of {style.plain(reward)} (guides)", fontsize=9)
        ax.set_ylabel(f"change of {style.plain(head)}", fontsize=9)
        style.scatter(ax, frame, x, name, looks)
    for ax in axes[len(targets) :]:
        ax.remove()
    style.legend(fig, axes[: len(targets)], 3 * columns)
    return fig


def diversity(summary: pd.DataFrame, reward: str, looks: dict[str, Look]) -> Figure | None:
    """Diversity of a prompt's images against the guiding reward; None where not measured.

    In a crowd only the typical cells are named.
    """
    x = f"score.{reward}"
    frame = summary[summary[x].notna() & summary.diversity.notna()]
    if frame.empty:
        return None
    many = style.crowded(frame)
    fig, (ax,) = style.figure(*((8.6, 6.0) if many else (7.2, 4.6)))
    style.pad(ax, "x", frame, x)
    style.pad(ax, "y", frame, "diversity", 0)
    ax.set_xlabel(f"{style.plain(reward)}, the guiding reward")
    ax.set_ylabel("diversity: mean squared distance between features")
    style.scatter(ax, frame, x, "diversity", looks)
    if many:
        style.legend(fig, [ax], 5)
    shown = frame[frame.typical] if many else frame
    style.name_points(ax, shown, x, "diversity", "short" if many else "label")
    return fig
