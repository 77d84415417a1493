"""``python -m bench.report.tuned FOLDER``: what tuning chose, from the trials in a results folder.

Every method's cells of one domain are its trials: they differ in the setting that is tuned. The
rule is `stats.tuning.chosen`'s: GenEval, or on mixtures the distance to the target; ties go to the
judge that did not guide, then to the weaker setting. Methods must have had as many trials as each
other, on the same prompts. Writes tuning.csv into the folder, a row a trial.
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

from bench.report import choice
from bench.report.domains.read import Domain, read
from bench.stats import tuning

COLUMNS = ["domain", "method", "setting", "value", "quality", "judge", "calls", "chosen", "edge"]


def trials(domain: Domain) -> Iterator[dict[str, Any]]:
    """One row a trial, method by method. Raises ValueError where a method's trials differ in more
    than one setting."""
    cells = domain.results.cells.loc[list(domain.cells)]
    known = "distance" in domain.results.prompts  # the truth, which needs no second judge
    judges = () if known else domain.results.judges
    for method, own in cells.groupby("method", sort=False):
        if len(own) < 2:
            continue
        names = [str(cell) for cell in own.index]
        keys = set().union(*(choice.differing(row, own.iloc[0]) for _, row in own.iterrows()))
        values = [{float(own.every[cell][key]) for key in keys} for cell in names]
        if any(len(value) != 1 for value in values):
            raise ValueError(
                f"{domain.results.folder}: the trials of {method} on {domain.name} differ in "
                f"{', '.join(sorted(keys)) or 'nothing'}; trials differ in one setting, or in "
                "several that have one value"
            )
        strength = [value.pop() for value in values]
        quality = np.stack([_quality(domain, cell) for cell in names])
        judge = None
        if judges:
            judge = np.stack([domain.of(cell, f"score.{judges[0]}") for cell in names])
        best = tuning.chosen(quality, judge, strength)
        for place in np.argsort(strength, kind="stable"):
            yield {
                "domain": domain.name,
                "method": method,
                "setting": ", ".join(sorted(keys)),
                "value": strength[place],
                "quality": quality[place].mean(),
                "judge": np.nan if judge is None else judge[place].mean(),
                "calls": domain.calls[domain.cells.index(names[place])],
                "chosen": place == best,
                "edge": place == best and tuning.at_edge(best, strength),
            }


def _quality(domain: Domain, cell: str) -> np.ndarray[Any, Any]:
    """GenEval of each prompt, or where the target is known minus the distance to it."""
    if "distance" in domain.results.prompts:
        return -domain.of(cell, "distance")
    if domain.results.prompts.correct.isna().all():
        raise ValueError(f"{domain.name}: nothing judged its images, so nothing can be chosen by")
    return domain.of(cell, "correct") / domain.of(cell, "images")


def frame(folder: Path) -> pd.DataFrame:
    """All trials of a folder."""
    domains, _ = read(folder)
    rows = [row for domain in domains for row in trials(domain)]
    if not rows:
        raise ValueError(f"{folder}: no method has two trials")
    return pd.DataFrame(rows, columns=COLUMNS)


def shown(rows: pd.DataFrame) -> Table:
    """The trials as a table of the terminal, the chosen ones marked."""
    table = Table(title="What tuning chose")
    for name in COLUMNS[:-2]:
        table.add_column(name, justify="left" if name in COLUMNS[:3] else "right")
    for row in rows.itertuples():
        values = [f"{v:.3g}" for v in (row.value, row.quality, row.judge, row.calls)]
        values[0] += " ←" if row.chosen else ""
        values[0] += " (edge)" if row.edge else ""
        table.add_row(row.domain, row.method, row.setting, *values)
    return table


def main(arguments: list[str] | None = None) -> int:
    """0 when the choice is written, 2 where the folder holds no trials that can be compared."""
    parser = argparse.ArgumentParser(prog="python -m bench.report.tuned", description=__doc__)
    parser.add_argument("folder", type=Path, help="the results folder of the trials")
    folder = parser.parse_args(arguments).folder
    try:
        rows = frame(folder)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    console = Console()
    console.print(shown(rows))
    counts = rows.groupby(["domain", "method"]).size().groupby("domain").unique()
    for domain, found in counts.items():
        if len(found) > 1:
            console.print(f"{domain}: methods had {sorted(found)} trials: not an equal effort")
    rows.to_csv(folder / "tuning.csv", index=False)
    print(folder / "tuning.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
