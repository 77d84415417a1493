"""Domains -> one row a domain and cell: the gain, and what stands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from bench import stats
from bench.report import summary
from bench.report.domains import controls
from bench.report.domains.controls import Against
from bench.report.domains.read import Domain

# Columns that say something else of quality than the guiding reward, and what a page calls them.
BESIDE = {"geneval": "GenEval", "distance": "distance / floor", "strings.valid": "valid"}


def rows(domain: Domain, comparisons: dict[str, dict[str, Against]]) -> Iterator[dict[str, Any]]:
    """One row a cell; ``comparisons``: of LiDAR's cells with their controls."""
    results = domain.results
    known = [name for name in BESIDE if name in results.prompts]
    known += ["geneval"] if results.prompts.correct.notna().any() else []
    drawn = controls.of_like_calls(domain)
    for cell in domain.cells:
        about = results.cells.loc[cell]
        row: dict[str, Any] = {"domain": domain.name, "cell": cell}
        row |= {key: about[key] for key in ("method", "label", "coverage")}
        if about.solver != results.cells.solver[domain.vanilla]:
            row["label"] += f" by {about.solver}"
        row |= {"drawn": cell in drawn, "prompts": len(domain.tags)}
        row |= spread("gain", domain.gain_of(cell))
        for control, own in comparisons.get(cell, {}).items():
            row |= spread(f"less.{control}", own.at())
        if "overshoot" in results.prompts:
            row |= spread("overshoot", domain.in_units(domain.of(cell, "overshoot")))
        for name in known:
            row |= beside(domain, cell, name)
        row["diversity"] = _ratio(domain, cell, "diversity")
        row["calls"] = domain.calls[domain.cells.index(cell)]
        yield row | spread("seconds", summary.cost(results, cell))


def beside(domain: Domain, cell: str, name: str) -> dict[str, float]:
    """A column of `BESIDE`: its mean, or GenEval's headline, and the paired change to vanilla."""
    results = domain.results
    if name == "geneval":
        value = summary.sampled(results, cell)["geneval"].interval.value
    else:
        value = float(domain.of(cell, name).mean())
    change = summary.difference(results, cell, domain.vanilla, name)
    return {name: value} | spread(f"{name}.change", change or summary.NOTHING)


def frame(domains: list[Domain], comparisons: dict[str, dict[str, Against]]) -> pd.DataFrame:
    """All rows, every column there for every domain: NaN where it has no such thing."""
    made = pd.DataFrame([row for domain in domains for row in rows(domain, comparisons)])
    absent = [name for name in ("less.best", "overshoot", *BESIDE) if name not in made]
    ends = [f"{name}{end}" for name in absent for end in ("", ".low", ".high")]
    return made.assign(**dict.fromkeys(ends, np.nan))


def spread(name: str, found: stats.Interval) -> dict[str, float]:
    """An estimate and the ends of its interval under ``name``."""
    return {name: found.value, f"{name}.low": found.low, f"{name}.high": found.high}


def _ratio(domain: Domain, cell: str, column: str) -> float:
    mine, theirs = domain.of(cell, column).mean(), domain.of(domain.vanilla, column).mean()
    return float(mine / theirs) if theirs > 0 else np.nan
