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

from bench.report.lidar import numbers as paper
from bench.report.load import Results

NONE = "–"
Cell = Callable[[pd.Series], str]


def result_display(
    results: Results,
    summary: pd.DataFrame,
    brief: bool = False,
    published: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """One row a cell, every value as short text; a label with * is of partial coverage.

    ``brief`` suits a terminal: of the calls only the denoiser's, and an interval for GenEval alone.
    ``published``: the paper's figures by cell (`paper.columns`), in columns of their own.
    """
    reward, *judges = results.scores
    columns: dict[str, Cell] = {
        "method": lambda row: row.label + (" *" if row.coverage else ""),
        "GenEval [95%]": lambda row: spread(row, "geneval"),
        "vs vanilla": lambda row: difference(row, brief),
        **({} if brief else {"P(better)": lambda row: spread(row, "improvement", "{:.2f}")}),
        f"{reward} (guides)": lambda row: number(row[f"score.{reward}"]),
    }
    for judge in judges:
        columns[judge] = partial(score, judge)
    columns["diversity"] = lambda row: number(row.diversity)
    columns["s/prompt"] = lambda row: number(row.seconds, "{:.3g}")
    if brief:
        columns["cost / vanilla"] = lambda row: number(row.cost, "{:.2f}×")
        columns["denoiser fwd / bwd"] = partial(calls, "denoiser")
    else:
        columns["cost / vanilla [95%]"] = lambda row: spread(row, "cost", "{:.2f}")
        for head, kind in (("denoiser", "denoiser"), ("decodes", "decode"), ("rewards", "reward")):
            columns[f"{head} fwd / bwd"] = partial(calls, kind)
    if published is not None:
        for name in published:
            head, form = paper.SHOWN[name]
            columns[head] = partial(_published, published[name], form)
    rows = [row for _, row in summary.iterrows()]
    return pd.DataFrame({name: [cell(row) for row in rows] for name, cell in columns.items()})


def tasks_display(by_task: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, one column a task with its number of prompts at most; share [low, high]."""
    rows = []
    sizes = by_task.groupby("task").prompts.max()
    for label, own in by_task.groupby("label", sort=False):
        of = own.set_index("task")
        texts = {"method": str(label)}
        for task, size in sizes.items():
            texts[f"{task} (n = {size})"] = (
                f"{of.share[task]:.2f} [{of.low[task]:.2f}, {of.high[task]:.2f}]"
                if task in of.index
                else NONE
            )
        rows.append(texts)
    return pd.DataFrame(rows)


def number(value: float, form: str = "{:.3f}") -> str:
    """``value`` as text; what was not measured is a dash."""
    return NONE if np.isnan(value) else form.format(value)


def spread(row: pd.Series, name: str, form: str = "{:.3f}") -> str:
    """ "0.512 [0.480, 0.541]" from the three columns of ``name``; "0.512 [–]": no interval."""
    if np.isnan(row[name]):
        return NONE
    if np.isnan(row[f"{name}.low"]):
        return f"{form.format(row[name])} [{NONE}]"
    value, low, high = (form.format(row[f"{name}{end}"]) for end in ("", ".low", ".high"))
    return f"{value} [{low}, {high}]"


def score(name: str, row: pd.Series) -> str:
    """The mean of one judge."""
    return number(row[f"score.{name}"])


def difference(row: pd.Series, brief: bool = False) -> str:
    """The change of GenEval to vanilla, called a tie where its interval covers 0.

    A dash in brackets after it: no interval, so neither a tie nor a difference is claimed.
    """
    if np.isnan(row["geneval.change"]):
        return "reference" if row.method == "vanilla" and not brief else NONE
    known = not np.isnan(row["geneval.change.low"])
    text = spread(row, "geneval.change", "{:+z.3f}")
    if brief and known:
        text = f"{row['geneval.change']:+.3f}"
    if row["geneval.change.tie"]:
        return "tie" if brief else f"tie ({text})"
    return text


def _published(column: pd.Series, form: str, row: pd.Series) -> str:
    return number(column[row.name], form)


def calls(kind: str, row: pd.Series) -> str:
    """Calls a prompt, phases summed, forward and backward: "550 / 0"."""
    ways = ("", "_backward")
    return " / ".join(f"{row[f'calls.{kind}{way}']:.1f}".removesuffix(".0") for way in ways)


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
