"""``python -m bench.report.tuned FOLDER``: what tuning chose, from the trials in a results folder.

A method's cells are its trials: they differ in the setting that is tuned. The rule is
`stats.tuning.chosen`'s: GenEval; ties go to the score named clip or the first other that did not
guide, then to the weaker setting. A method with an unfinished trial is left out. Prints which value
to try next where the choice lies at the edge of its grid. Writes tuning.csv into the folder, a row
a trial.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from bench.report import choice, counting
from bench.report.load import Results, load
from bench.stats import tuning

SHOWN = ["method", "setting", "value", "geneval", "judge", "prompts", "calls"]
COLUMNS = [*SHOWN, "chosen", "edge"]
MOST = 5  # trials of a method


def trials(results: Results) -> Iterator[dict[str, Any]]:
    """One row a trial, method by method; ``calls``: of the denoiser, forward and backward, for one
    delivered image. Raises ValueError where a method's trials differ in more than one value, or
    where nothing judged them."""
    if results.quality != "geneval":
        raise ValueError(f"{results.folder}: nothing judged its images, so nothing can be chosen")
    judge = [f"score.{name}" for name in results.judges[:1]]
    for method, own in results.cells.groupby("method", sort=False):
        if len(own) < 2 or (own.done < own.total).any():
            continue
        names = [str(cell) for cell in own.index]
        keys = set().union(*(choice.differing(row, own.iloc[0]) for _, row in own.iterrows()))
        values = [{number(own.every[cell].get(key)) for key in keys} for cell in names]
        if any(len(value) != 1 or None in value for value in values):
            raise ValueError(
                f"{results.folder}: the trials of {method} differ in "
                f"{', '.join(sorted(keys)) or 'nothing'}; trials differ in one setting, or in "
                "several that have one value"
            )
        strength = [value for (value,) in values if value is not None]
        tags, (right, images, *others) = results.shared(names, ["correct", "images", *judge])
        quality = right / images
        best = tuning.chosen(quality, others[0] if others else None, strength)
        for place in np.argsort(strength, kind="stable"):
            yield {
                "method": method,
                "setting": ", ".join(sorted(keys)),
                "value": strength[place],
                "geneval": quality[place].mean(),
                "judge": others[0][place].mean() if others else np.nan,
                "prompts": len(tags),
                "calls": counting.calls(results.of(names[place])),
                "chosen": place == best,
                "edge": place == best and tuning.at_edge(best, strength),
            }


def number(text: str | None) -> float | None:
    """A setting's value; None where it is not there, or no number."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def frame(results: Results) -> pd.DataFrame:
    """All trials of a folder. Raises ValueError where no method has finished two."""
    rows = list(trials(results))
    if not rows:
        raise ValueError(f"{results.folder}: no method has finished two trials")
    return pd.DataFrame(rows, columns=COLUMNS)


def shown(rows: pd.DataFrame) -> Table:
    """The trials as a table of the terminal, the chosen ones marked."""
    table = Table(title="What tuning chose")
    for name in SHOWN:
        table.add_column(name, justify="left" if name in SHOWN[:2] else "right")
    for row in rows.itertuples():
        values = [f"{v:.3g}" for v in (row.value, row.geneval, row.judge, row.prompts, row.calls)]
        values[0] += " ←" if row.chosen else ""
        table.add_row(row.method, row.setting, *values)
    return table


def edges(rows: pd.DataFrame) -> Iterator[str]:
    """A sentence for each method whose choice lies at the edge of its grid."""
    for method, own in rows.groupby("method", sort=False):
        if not own.edge.any():
            continue
        values, chosen = own.value.to_numpy(), float(own.value[own.edge].iloc[0])
        beyond = tuning.beyond(values, chosen)
        told = f"{method}: the choice, {chosen:g}, lies at the edge of its {len(own)} trials; "
        yield told + (f"try {beyond:g} too" if len(own) < MOST else f"{MOST} are the most")


def main(arguments: list[str] | None = None) -> int:
    """0 when the choice is written, 2 where the folder holds no trials that can be compared."""
    parser = argparse.ArgumentParser(prog="python -m bench.report.tuned", description=__doc__)
    parser.add_argument("folder", type=Path, help="the results folder of the trials")
    folder = parser.parse_args(arguments).folder
    try:
        results = load(folder)
        rows = frame(results)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    console = Console()
    console.print(shown(rows))
    for line in edges(rows):
        console.print(line)
    if left_out := sorted(set(results.cells.method) - set(rows.method)):
        console.print(f"left out, with fewer than two finished trials: {', '.join(left_out)}")
    rows.to_csv(folder / "tuning.csv", index=False)
    print(folder / "tuning.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
