"""The result tables as display text, and on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench import stats
from bench.report.clock import BUSY
from bench.report.lidar import published as paper
from bench.report.load import Results

NONE = "–"
Cell = Callable[[pd.Series], str]
HEADS = {"strict": "strict GenEval", "distinct_share": "distinct right"}


def result_display(
    results: Results,
    summary: pd.DataFrame,
    brief: bool = False,
    published: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row a cell, every value as short text; a label with * is of partial coverage.

    ``brief`` suits a terminal: of the calls only the denoiser's, and fewer intervals.
    ``published``: the paper's figures by cell (`paper.columns`), in columns of their own.
    """
    columns: dict[str, Cell] = {"method": lambda row: row.label + (" *" if row.coverage else "")}
    quality, scores = results.quality, [f"score.{name}" for name in results.scores]
    if quality == "geneval":
        columns["GenEval [95%]"] = partial(spread, name="geneval")
    elif summary[quality].notna().any():
        columns[f"{results.axis} [95%]"] = partial(spread, name=quality)
        scores.remove(quality)
    if len(columns) > 1:
        columns["vs vanilla"] = partial(difference, name=quality, brief=brief)
    for name in ("strict", "clutter", *scores, "diversity"):
        if summary[name].notna().any():
            columns[_head(results, name)] = partial(number, name=name)
    columns["s/prompt"] = quiet(partial(number, name="seconds", form="{:.3g}"))
    if brief:
        columns["cost / vanilla"] = quiet(partial(number, name="cost", form="{:.2f}×"))
    else:
        columns["cost / vanilla [95%]"] = quiet(partial(spread, name="cost", form="{:.2f}"))
    columns["denoiser fwd / bwd"] = calls
    if published is not None:
        summary = summary.join(published.add_prefix("paper."))
        for name in published:
            head, form = paper.SHOWN[name]
            columns[head] = partial(number, name=f"paper.{name}", form=form)
    rows = [row for _, row in summary.iterrows()]
    return pd.DataFrame({name: [cell(row) for row in rows] for name, cell in columns.items()})


def varying(shown: pd.DataFrame) -> pd.DataFrame:
    """Without columns that say the same in every row, of which there are at least two."""
    same = [name for name in shown.columns[1:] if len(shown) > 1 and shown[name].nunique() == 1]
    return shown.drop(columns=same)


def score_display(results: Results, summary: pd.DataFrame) -> pd.DataFrame:
    """One row a cell: P(better), strict GenEval, clutter, doubt, distinct right images, each score
    but the one that the quality is, and diversity, with its change to vanilla; columns only for
    what has such a change. The last is the change of diversity where both are all right."""
    scores = [f"score.{name}" for name in results.scores]
    names = ["strict", "clutter", "doubt", "distinct_share", *scores, "diversity"]
    names = [n for n in names if n != results.quality and summary[f"{n}.change"].notna().any()]
    columns = {
        "P(better)": [spread(row, "improvement", "{:.2f}") for _, row in summary.iterrows()]
    } if summary.improvement.notna().any() else {}  # fmt: skip
    columns |= {
        _head(results, name): [
            f"{number(row, name)}, {change}" if (change := difference(row, name)) != NONE
            else number(row, name) for _, row in summary.iterrows()
        ] for name in names
    }  # fmt: skip
    if summary["diversity_right.change"].notna().any():
        columns["diversity where all are right"] = [
            f"{difference(row, 'diversity_right')} (n = {row['diversity_right.change.prompts']})"
            if np.isfinite(row["diversity_right.change"]) else NONE
            for _, row in summary.iterrows()
        ]  # fmt: skip
    return pd.DataFrame({"method": list(summary.label)} | columns)


def _head(results: Results, name: str) -> str:
    """The heading of a column of ``prompts``."""
    guides = " (guides)" if name == f"score.{results.reward}" else ""
    name = HEADS.get(name, name)
    return name.removeprefix("score.") + guides


def tasks_display(by_task: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, one column a task with its number of prompts at most; share [low, high]."""
    sizes = by_task.groupby("task").prompts.max()
    shown = by_task.assign(
        text=[f"{r.share:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in by_task.itertuples()]
    )
    wide = shown.pivot(index="label", columns="task", values="text")  # tasks in order
    wide = wide.reindex(list(dict.fromkeys(by_task.label))).fillna(NONE)
    wide.columns = [f"{task} (n = {sizes[task]})" for task in wide]
    return wide.rename_axis("method").reset_index()


def quiet(shown: Cell) -> Cell:
    """A column of seconds, which are told only where the machine was not busy."""
    return lambda row: BUSY if row.busy else shown(row)


def number(row: pd.Series, name: str, form: str = "{:.3f}") -> str:
    """A column of the row as text; what was not measured is a dash."""
    return NONE if np.isnan(row[name]) else form.format(row[name])


def spread(row: pd.Series, name: str, form: str = "{:.3f}") -> str:
    """ "0.512 [0.480, 0.541]" from the three columns of ``name``; "0.512 [–]": no interval."""
    value, low, high = (row[f"{name}{end}"] for end in ("", ".low", ".high"))
    return spelled(stats.Interval(value, low, high, 0), form)


def spelled(value: stats.Interval, form: str) -> str:
    """An interval as text; a dash where nothing was measured."""
    if np.isnan(value.value):
        return NONE
    ends = ", ".join(form.format(end) for end in (value.low, value.high)) if value.known else NONE
    return f"{form.format(value.value)} [{ends}]"


def difference(row: pd.Series, name: str = "geneval", brief: bool = False) -> str:
    """The change of quality to vanilla, called a tie where its interval covers 0.

    A dash in brackets after it: no interval, so neither a tie nor a difference is claimed.
    """
    ends = [row[f"{name}.change{end}"] for end in ("", ".low", ".high")]
    change = stats.Interval(ends[0], ends[1], ends[2], 0)
    if np.isnan(change.value):
        return "reference" if row.method == "vanilla" and not brief else NONE
    text = spelled(change, "{:+z.3f}")
    if brief and change.known:
        text = f"{change.value:+.3f}"
    return ("tie" if brief else f"tie ({text})") if change.tie else text


def calls(row: pd.Series) -> str:
    """Calls of the denoiser a prompt, phases summed, forward and backward: "550 / 0"."""
    ways = ("", "_backward")
    return " / ".join(f"{row[f'calls.denoiser{way}']:.1f}".removesuffix(".0") for way in ways)


def show(display: pd.DataFrame, title: str, console: Console) -> None:
    """Print the table; a console too narrow for it gets longer lines, not fewer columns."""
    table = Table(
        title=Text(title), title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False
    )
    needed = len(display.columns)
    for position, column in enumerate(display.columns):
        heading = "\n".join(column.split())
        width = max(map(len, [*display[column], *heading.split("\n")]))
        justify: Literal["left", "right"] = "left" if position == 0 else "right"
        table.add_column(Text(heading), justify=justify, width=width, no_wrap=True)
        needed += width
    for row in display.to_numpy():
        table.add_row(*(Text(value) for value in row))
    console.width = max(console.width, needed)
    console.print(table)
