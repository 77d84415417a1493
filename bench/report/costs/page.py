"""The report of cells without a judge: the decomposition of the cost, memory, calls."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console

from bench.report import files, style, table
from bench.report.costs.read import load
from bench.report.document import Document, Picture, Section, Table

CAPTION = (
    "Seconds a prompt (means; four images unless the config says otherwise) from the prompt's text "
    "to images on the host: lookahead is text encoding and lookahead samples, annotation their "
    "rewards, target the steered sampling and its decoding. Ratio: to vanilla timed beside it on "
    "the same prompts, in brackets the lowest and highest prompt. Memory: peak GiB allocated / "
    "reserved. Batch: images sampled together / samples a call of the denoiser / of the decoder. "
    "Scores and diversity, where they were recorded, are means over prompts. "
    "Calls are samples, forward / backward; classifier-free guidance counts two. The paper's ratio "
    "and seconds (one A100 80 GB, trained weights) are its own, not measured here."
)
BARS = (
    "prepare: text and lookahead samples; annotate: their rewards; denoise: the steered sampling; "
    "decode: the delivered images. A mark is the paper's ratio where it has such a row."
)


def build(folder: Path, show: bool = False, only: Collection[str] | None = None) -> Path:
    """Write report.html, report.md, tables/ and figures/ into ``folder``; report.md's path.

    Raises FileNotFoundError where there is no cell, ValueError where no prompt is finished.
    """
    costs, notes = load(folder, only)
    if costs.empty:
        raise ValueError(f"{folder}: no prompt is finished in any cell; {'; '.join(notes)}")
    notes = [*about(costs), *notes]
    page, source = files.write(compose(costs, notes, folder.name), folder)
    if show:
        console = Console()
        table.show(display(costs, brief=True), f"{folder.name}: {notes[0]}", console)
        for note in notes[1:]:
            console.print(f"- {note}", markup=False, highlight=False)
        print(page)
    return source


def compose(costs: pd.DataFrame, notes: Sequence[str], name: str) -> Document:
    """The whole report as data."""
    picture = Picture("costs", "Seconds relative to vanilla, by phase", BARS, bars(costs))
    body = (
        Section("Costs", (Table("costs", display(costs), CAPTION, costs),)),
        Section("By phase", (picture,)),
    )
    return Document(f"{name}: what methods cost", {}, tuple(notes), body)


def about(costs: pd.DataFrame) -> list[str]:
    """What was measured, on what."""
    row = costs.iloc[0]
    lines = [
        f"backbone {row.backbone}, weights {row.weights}, on {', '.join(sorted(set(costs.device)))}"
    ]
    if row.weights in ("random", "tiny"):
        size = "true" if row.weights == "random" else "toy"
        lines.append(
            f"architectures at {size} size with random weights: seconds, memory and calls are "
            "those of this size, the images mean nothing"
        )
    if costs["memory.allocated"].isna().all():
        lines.append("memory is counted on GPUs alone")
    return lines


def display(costs: pd.DataFrame, brief: bool = False) -> pd.DataFrame:
    """The table's text."""
    scores = [c for c in costs if c.startswith("score.")]
    scores += ["diversity"] if costs.diversity.notna().any() else []

    def text(row: pd.Series) -> dict[str, str]:
        target = row["seconds.denoise"] + row["seconds.decode"]
        cells = {
            "method": row.label,
            "s/prompt": table.number(row.seconds, "{:.3g}"),
            "lookahead": table.number(row["seconds.prepare"], "{:.3g}"),
            "annotation": table.number(row["seconds.annotate"], "{:.3g}"),
            "target": table.number(target, "{:.3g}"),
            "ratio": table.spread(row, "ratio", "{:.2f}"),
            "paper's ratio": table.number(row["published.ratio"], "{:.2f}"),
            "memory": _pair(row, "memory.allocated", "memory.reserved", "{:.2f}"),
        }
        for column in scores:
            cells[column.removeprefix("score.")] = table.number(row[column], "{:.3g}")
        if brief:
            return cells
        cells["paper's seconds"] = table.number(row["published.seconds"], "{:.2f}")
        cells["batch"] = row.batch
        for kind in ("denoiser", "decode", "reward"):
            cells[f"{kind} calls"] = table.calls(kind, row)
        return cells

    return pd.DataFrame([text(row) for _, row in costs.iterrows()])


def _pair(row: pd.Series, first: str, second: str, form: str) -> str:
    if np.isnan(row[first]):
        return table.NONE
    return f"{form.format(row[first])} / {form.format(row[second])}"


def bars(costs: pd.DataFrame) -> Figure:
    """Seconds relative to vanilla by phase, the paper's ratio as a mark."""
    fig, (ax,) = style.figure(7.2, 1.6 + 0.36 * len(costs))
    places, left = np.arange(len(costs)), np.zeros(len(costs))
    vanilla = (costs.seconds / costs.ratio).to_numpy(float)
    for phase, color in style.PHASES.items():
        width = costs[f"seconds.{phase}"].to_numpy(float) / vanilla
        ax.barh(places, width, left=left, color=color, height=0.62, label=phase,
                hatch=style.HATCHES[phase], edgecolor="white", linewidth=0.5)  # fmt: skip
        left += width
    marked = costs["published.ratio"].notna()
    if marked.any():
        ax.plot(costs["published.ratio"][marked], places[marked], "k|", markersize=16,
                markeredgewidth=2, label="the paper's ratio")  # fmt: skip
    ax.axvline(1, color=style.INK, linewidth=0.8, linestyle=":")
    ax.set_yticks(places, [style.plain(label) for label in costs.label])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("seconds / vanilla seconds, by phase", fontsize=9)
    ax.legend(fontsize=8, frameon=False, ncols=5, loc="lower left", bbox_to_anchor=(-0.1, 1.0))
    return fig
