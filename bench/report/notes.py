"""What a reader must know before the tables: gaps, unequal comparisons, an unsteady clock."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from bench.report import choice
from bench.report.clock import BUSY
from bench.report.load import Results

SAID = {"images": "number of images"}


def notes(results: Results, summary: pd.DataFrame) -> list[str]:
    """What was skipped or is missing, and where a comparison rests on fewer prompts."""
    cells = results.cells
    found = [*results.notes, *surroundings(results)]
    if len(cells[["steps", "solver"]].drop_duplicates()) > 1:
        found.append(
            "cells of different target solvers or steps: each cost is relative to vanilla with the "
            "cell's own, so costs are compared only between cells that share them"
        )
    begun = cells[(cells.done > 0) & ~choice.enough(cells) & ~cells.twin]
    found += [f"{label}: too few prompts for sweeps and verdicts" for label in begun.label]
    references = results.references
    if not references:
        return [*found, "no vanilla cell: no differences to vanilla"]
    found += [*compared_with(cells, references), *placebo(summary)]
    for label in cells.label[cells.twin]:
        found.append(f"{label}: repeats another cell's settings, left out of comparisons")
    for cell, row in summary.iterrows():
        own, common = cells.total[cell], int(row[f"{results.quality}.change.prompts"])
        if pd.notna(row[results.quality]) and cell != references[str(cell)] and common < own:
            found.append(f"{row.label}: compared with vanilla on {common} common prompts of {own}")
    return list(dict.fromkeys(found))


def untrained(results: Results) -> list[str]:
    """What the images and the seconds of weights that were never trained are worth."""
    weights = {str(config["backbone"].get("weights")) for config in results.cells.config}
    return [
        f"architectures at {size} size with random weights: seconds, memory and calls are those of "
        "this size, the images mean nothing"
        for name, size in (("random", "true"), ("tiny", "toy"))
        if name in weights
    ]


def surroundings(results: Results) -> Iterator[str]:
    """What the machine or the weights keep a report from saying."""
    yield from untrained(results)
    if results.prompts["memory.allocated"].isna().all():
        yield "memory was not counted: that takes CUDA, or a CPU under Linux"


def compared_with(cells: pd.DataFrame, references: dict[str, str]) -> list[str]:
    """Which vanilla cells the differences are to, and where one is not of a cell's own target."""
    pairs = [(cell, base) for cell, base in references.items() if cell != base]
    used = dict.fromkeys(c for c in cells.index if c in {base for _, base in pairs})
    which = ", ".join(f"{cells.label[cell]} (cell {cell})" for cell in used)
    found = [f"differences are to {which}"] if used else []
    if len(used) > 1:
        found[0] += ": each cell's to the one whose solver, steps and seed are its own"
    for cell, base in references.items():
        if not cells.done[cell]:
            continue
        # The code and the reward are told once for all.
        apart = choice.apart(cells.loc[cell], cells.loc[base]) - {"code"}
        names = sorted(SAID.get(key, key.removeprefix("backbone."))
                       for key in apart if not key.startswith("reward."))  # fmt: skip
        if names:
            found.append(
                f"{cells.label[cell]}: compared with vanilla of another {', '.join(names)}"
            )
    guiding = [
        sorted((k, v) for k, v in every.items() if k.startswith("reward."))
        for every in cells.every[cells.done > 0]
    ]
    if any(own != guiding[0] for own in guiding):
        found.append("the guiding reward is not the same in all cells: compare its parts, not it")
    return found


def placebo(summary: pd.DataFrame) -> list[str]:
    """Of which cells the seconds are not told, because vanilla's own, or those of cells with equal
    calls, show that the machine was busy."""
    rows = summary[summary.busy != ""].itertuples()
    return [f"{row.label}: {BUSY}, {row.busy}; its seconds are left out" for row in rows]
