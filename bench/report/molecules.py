"""The report of cells on molecules: how much of the reward, and at what cost in strings.

Means over strings have intervals over the sets. Distinct and novel strings are counted set by set,
and shown with the lowest and the highest set: their number grows with a set's size, so resampling
strings would not tell how it varies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench import stats
from bench.report import style, table
from bench.report.document import Bullets, Document, Picture, Report, Section, Table, Text
from bench.report.lidar import molecules as paper
from bench.store.frames import Frames, read

BRIEF = ("method", "valid", "target", "unique", "novel", "calls / vanilla")
COUNTED = ("unique", "novel")  # of a set as a whole
CAPTION = (
    "Means over sets of strings, in brackets 95 % intervals over the sets; unique (distinct valid "
    "strings) and novel (distinct valid strings that the table of molecules does not list) are "
    "counted set by set, in brackets the lowest and the highest set. An invalid string has reward "
    "0. Target: the reward's mean under the exact target. TV / floor: total variation between the "
    "histogram of the reward and its law under the target, over the mean of exact sets of the same "
    "size: 1 is a perfect sampler. Calls: of the denoiser, over vanilla's. Paper: LiDAR's table 4, "
    "UDLM on QM9, another prior."
)


def report(folder: Path, only: Collection[str] | None = None) -> Report:
    """Of these cells, None for all there are. Raises BenchError where there is none."""
    frames = read(folder, only)
    summary = summarize(frames)
    lines = tuple(findings(summary))
    shown = display(summary)
    body = [
        Section("What it says", (Bullets(lines),)),
        Section("Methods", (Table("methods", shown, CAPTION, summary),)),
    ]
    if (figure := against_calls(summary)) is not None:
        text = "Mean reward of all strings against the calls of the denoiser; invalid strings: 0."
        body.append(Section("Figure", (Picture("reward", "Reward against cost", text, figure),)))
    else:
        body.append(Section("Figure", (Text("No figure: there is one method alone."),)))
    row = frames.cells.iloc[0]
    facts = {
        "backbone": str(row.config["backbone"]["name"]),
        "strings a set": str(row.images),
        "sets": str(row.total),
        "reward": f"{row.reward}, λ = {row.config['target_scale']:g}",
        "target solver": f"{row.solver}, {row.steps} steps",
    }
    document = Document(f"{folder.name}: rewarded molecules", facts, frames.notes, tuple(body))
    brief = ["method", "valid", "rings [95%]", "unique", "calls / vanilla"]
    brief = [
        column for column in shown if column.split(" [")[0] in {b.split(" [")[0] for b in brief}
    ]
    return Report(
        document, shown[brief], f"{folder.name}: rewarded molecules", (*frames.notes, *lines)
    )


def summarize(frames: Frames) -> pd.DataFrame:
    """One row a cell: means over its sets, ends of intervals as ``.low`` and ``.high``."""
    rows = [summary_row(frames, str(cell)) for cell in frames.cells.index]
    found = pd.DataFrame(rows)
    vanilla = found[found.method == "vanilla"]
    base = vanilla.denoiser.iloc[0] if len(vanilla) else np.nan
    calls = found.denoiser / base
    return found.assign(calls=calls, **{"calls.low": calls, "calls.high": calls})


def summary_row(frames: Frames, cell: str) -> dict[str, object]:
    """A cell's row. Every set weighs alike: sets of one cell are equally large."""
    own, about = frames.of(cell), frames.cells.loc[cell]
    settings = leaves_of(about.config)
    row: dict[str, object] = {"cell": cell, "label": about.label, "method": about.method}
    row |= {"coverage": about.coverage, "reward": about.reward, **settings}
    draws = stats.resample([""] * len(own), stats.DRAWS, np.random.default_rng(0))

    def mean(name: str, values: pd.Series) -> None:
        array = values.to_numpy(float)
        found = stats.student(array.mean(), draws.weights @ array / len(array), draws)
        row.update({name: found.value, f"{name}.low": found.low, f"{name}.high": found.high})

    mean("valid", own["strings.valid"])
    for score in (c for c in own if c.startswith("score.")):
        mean(score, own[score])
    if (name := f"strings.novel {about.reward}") in own and own[name].notna().any():
        row["novel reward"] = float(own[name].mean())
    for name in COUNTED:
        values = own[f"strings.{name}"]
        row |= {name: values.mean(), f"{name}.low": values.min(), f"{name}.high": values.max()}
    if "distance.tv" in own:
        row["tv"] = float((own["distance.tv"] / own["distance.tv_floor"]).mean())
        row["target"] = float(own[f"target.{about.reward}"].mean())
    row["denoiser"] = float(own["calls.denoiser"].mean())
    row["seconds"] = float(own["seconds.total"].mean())
    return row


def leaves_of(config: dict[str, object]) -> dict[str, object]:
    """The rule and the number of lookahead samples, where a method has them."""
    method: dict[str, dict[str, dict[str, object]]] = config["method"]  # type: ignore[assignment]
    guided = (method.get("steer") or {}).get("token_guidance") or {}
    drawn = (method.get("efr") or {}).get("lookahead") or {}
    return {
        "rule": guided.get("rule"),
        "n": drawn.get("n"),
        "scale": guided.get("scale"),
        "interval": str(guided.get("interval")),
    }


def display(summary: pd.DataFrame) -> pd.DataFrame:
    """The table's text, in the order of the cells."""
    scores = [c for c in summary if c.startswith("score.") and not c.endswith((".low", ".high"))]
    published = paper.published()

    def text(row: pd.Series) -> dict[str, str]:
        cells = {"method": row.label + (" *" if row.coverage else "")}
        cells["valid"] = table.number(row, "valid", "{:.3f}")
        for score in scores:
            cells[f"{score.removeprefix('score.')} [95%]"] = table.spread(row, score, "{:.3f}")
        if "target" in summary:
            cells["target"] = table.number(row, "target", "{:.3f}")
            cells["TV / floor"] = table.number(row, "tv", "{:.2f}")
        cells["unique"] = table.spread(row, "unique", "{:.2f}")
        if summary.novel.max() > 0:
            cells["novel"] = table.spread(row, "novel", "{:.0f}")
            cells[f"{row.reward} of novel"] = table.number(row, "novel reward", "{:.3f}")
        cells["calls / vanilla"] = table.number(row, "calls", "{:.2f}×")
        if row.reward == "rings":
            cells["paper: novel, rings of novel, of all"] = paper.cited(row, published)
        return cells

    return pd.DataFrame([text(row) for _, row in summary.iterrows()])


def findings(summary: pd.DataFrame) -> Iterator[str]:
    """For each number of lookahead samples the rules side by side, and the best control."""
    name = str(summary.reward.iloc[0])
    score = f"score.{name}"
    for row in (row for _, row in summary.iterrows() if row.method == "vanilla"):
        yield f"vanilla: {name} {table.spread(row, score)}, valid {row.valid:.3f}"
    guided = summary.method == "lidar_tokens"
    controls = summary[~guided & (summary.method != "vanilla")]
    for n, own in summary[guided].groupby("n"):
        told = [f"{row.label} {row[score]:.2f}" for _, row in own.iterrows()]
        line = f"n = {n:g}, {own.calls.max():.2f}× vanilla's calls: {', '.join(told)}"
        near = controls[controls.calls <= own.calls.max() + 0.01]
        if len(near):
            best = near.loc[near[score].idxmax()]
            line += f"; the best control at no more calls, {best.label}: {best[score]:.2f}"
        yield line


def against_calls(summary: pd.DataFrame) -> Figure | None:
    """The reward over the calls, a point a cell; the target's mean as a line where it is known."""
    if len(summary) < 2 or summary.calls.isna().any():
        return None
    name = f"score.{summary.reward.iloc[0]}"
    fig, (ax,) = style.figure(7.2, 4.4)
    style.scatter(ax, summary, "calls", name, style.looks(summary))
    if "target" in summary:
        ax.axhline(summary.target.iloc[0], color=style.INK, linewidth=1, linestyle=":")
        ax.annotate("exact target", (ax.get_xlim()[0], summary.target.iloc[0]), fontsize=8)
    ax.set_xlabel("denoiser calls over vanilla's", fontsize=9)
    ax.set_ylabel(f"{summary.reward.iloc[0]}, mean of all strings", fontsize=9)
    style.legend(fig, [ax], 2)
    return fig
