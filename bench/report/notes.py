"""What a reader must know before the tables: gaps, unequal comparisons, an unsteady clock."""

from __future__ import annotations

import pandas as pd

from bench.report import choice, table
from bench.report.load import Results

OFF = 0.03
SAID = {"images": "number of images"}


def compared_with(cells: pd.DataFrame, references: dict[str, str]) -> list[str]:
    """Which vanilla cells the differences are to, and where one is not of a cell's own target."""
    pairs = [(cell, base) for cell, base in references.items() if cell != base]
    used = dict.fromkeys(c for c in cells.index if c in {base for _, base in pairs})
    found = [f"differences are to {cells.label[cell]}, the cell {cell}" for cell in used]
    if len(used) > 1:
        found = [f"{text}, where solver, steps and seed are its" for text in found]
    for cell, base in references.items():
        if not cells.done[cell]:
            continue
        if apart := apart_from(cells, cell, base):
            names = (SAID.get(key, key.removeprefix("backbone.")) for key in apart)
            what = ", ".join(sorted(names))
            found.append(f"{cells.label[cell]}: compared with vanilla of another {what}")
    rewards = {repr(choice.reward(row)) for _, row in cells[cells.done > 0].iterrows()}
    if len(rewards) > 1:
        found.append("the guiding reward is not the same in all cells: compare its parts, not it")
    return found


def apart_from(cells: pd.DataFrame, cell: str, base: str) -> set[str]:
    """What a cell and its vanilla differ in; the code and the reward are told once for all."""
    keys = choice.apart(cells.loc[cell], cells.loc[base])
    return {key for key in keys if key != "code" and not key.startswith("reward.")}


def placebo(results: Results, summary: pd.DataFrame) -> list[str]:
    """Where vanilla's cost over itself is off by more than 3%, 1 outside its interval: seconds here
    mislead."""
    found = []
    for cell in summary.index[summary.method == "vanilla"]:
        row = summary.loc[cell]
        outside = row["cost.low"] > 1 or row["cost.high"] < 1
        if outside and abs(row.cost - 1) > OFF:
            cost = table.spread(row, "cost", "{:.2f}")
            found.append(
                f"{row.label}: its cost over vanilla, itself, is {cost}: the machine was too "
                "unsteady for the intervals of costs here; go by calls"
            )
    return found


def notes(results: Results, summary: pd.DataFrame) -> list[str]:
    """What was skipped or is missing, and where a comparison rests on fewer prompts."""
    found = list(results.notes)
    if results.cells[["steps", "solver"]].drop_duplicates().shape[0] > 1:
        found.append(
            "cells of different target solvers or steps: each cost is relative to vanilla with the "
            "cell's own, so costs are compared only between cells that share them"
        )
    begun = results.cells[
        (results.cells.done > 0) & ~choice.enough(results.cells) & ~results.cells.twin
    ]
    found += [f"{label}: too few prompts for sweeps and verdicts" for label in begun.label]
    references = results.references
    if not references:
        return [*found, "no vanilla cell: no differences to vanilla"]
    found += [*compared_with(results.cells, references), *placebo(results, summary)]
    repeats = results.cells.label[results.cells.twin]
    found += [
        f"{label}: repeats another cell's settings, left out of comparisons" for label in repeats
    ]
    for row in summary.itertuples():
        own, common = (
            results.cells.total[row.Index],
            int(summary.loc[row.Index, "geneval.change.prompts"]),
        )
        judged = pd.notna(row.geneval)
        if judged and row.Index != references[row.Index] and common < own:
            found.append(f"{row.label}: compared with vanilla on {common} common prompts of {own}")
    return found
