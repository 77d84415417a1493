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

SHOWN = ["domain", "method", "setting", "value", "quality", "judge", "prompts", "calls"]
COLUMNS = [*SHOWN, "chosen", "edge"]


def trials(domain: Domain) -> Iterator[dict[str, Any]]:
    """One row a trial, method by method. Raises ValueError where a method's trials differ in more
    than one value."""
    results = domain.results
    cells = results.cells.loc[list(domain.cells)]
    known = "distance" in results.prompts  # the truth, which needs no second judge
    judges = () if known else tuple(f"score.{name}" for name in results.judges[:1])
    marks = ("distance",) if known else ("correct", "images")
    if not known and results.prompts.correct.isna().all():
        raise ValueError(f"{domain.name}: nothing judged its images, so nothing can be chosen by")
    for method, own in cells.groupby("method", sort=False):
        if len(own) < 2:
            continue
        names = [str(cell) for cell in own.index]
        keys = set().union(*(choice.differing(row, own.iloc[0]) for _, row in own.iterrows()))
        values = [{number(own.every[cell].get(key)) for key in keys} for cell in names]
        if any(len(value) != 1 or None in value for value in values):
            raise ValueError(
                f"{domain.results.folder}: the trials of {method} on {domain.name} differ in "
                f"{', '.join(sorted(keys)) or 'nothing'}; trials differ in one setting, or in "
                "several that have one value"
            )
        strength = [value for (value,) in values if value is not None]
        tags, (first, *others) = results.shared(names, (*marks, *judges))
        quality = -first if known else first / others[0]
        judge = others[-1] if judges else None
        best = tuning.chosen(quality, judge, strength)
        for place in np.argsort(strength, kind="stable"):
            yield {
                "domain": domain.name,
                "method": method,
                "setting": ", ".join(sorted(keys)),
                "value": strength[place],
                "quality": quality[place].mean(),
                "judge": np.nan if judge is None else judge[place].mean(),
                "prompts": len(tags),
                "calls": domain.calls[domain.cells.index(names[place])],
                "chosen": place == best,
                "edge": place == best and tuning.at_edge(best, strength),
            }


def number(text: str | None) -> float | None:
    """A setting's value; None where it is not there, or no number."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


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
    for name in SHOWN:
        table.add_column(name, justify="left" if name in SHOWN[:3] else "right")
    for row in rows.itertuples():
        values = [f"{v:.3g}" for v in (row.value, row.quality, row.judge, row.prompts, row.calls)]
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
    for domain, own in rows.groupby("domain"):
        counts = sorted({int(count) for count in own.groupby("method").size()})
        if len(counts) > 1:
            many = ", ".join(map(str, counts))
            console.print(f"{domain}: methods had {many} trials: not an equal effort")
    rows.to_csv(folder / "tuning.csv", index=False)
    print(folder / "tuning.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
