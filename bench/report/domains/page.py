"""The report of a folder of several domains: does LiDAR's gain hold in all of them?"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from bench import stats
from bench.report import table
from bench.report.axes import compared
from bench.report.axes_section import axes_section
from bench.report.controls import CHEAPER
from bench.report.document import Bullets, Document, Picture, Report, Section, Table, Text
from bench.report.domains.controls import BEST, CONTROLS, Against, against, lidar, lidars
from bench.report.domains.figure import forest
from bench.report.domains.read import Domain, read
from bench.report.domains.rows import BESIDE, frame, spread
from bench.report.domains.verdicts import Verdict, family
from bench.report.notes import placebo, surroundings
from bench.report.summary import summarize

UNIT = (
    "A gain is the guiding reward's mean less vanilla's, paired by prompt, in units of the "
    "standard deviation of the rewards of vanilla's images about their own prompt's mean, pooled "
    "over the domain's prompts. The unit is what choosing among a prompt's images has to work "
    "with: the better of two draws from a normal distribution gains 0.56, the best of ten 1.54. "
    f"Brackets are 95% intervals over prompts (Student's t, {stats.DRAWS} bootstrap draws "
    "stratified by task), in which the unit is drawn anew, too."
)
CONTROL = (
    "Equal calls: the control's gain is read off at LiDAR's own number of denoiser calls, on the "
    "straight line in log calls between its settings next to it. The best control is the one that "
    "gains more, picked anew in every draw, which errs, if at all, against LiDAR."
)
TARGET = (
    "Where the target is exactly known, the highest reward is not the aim. Over the target: reward "
    "less the target's, in the same units; above 0 is more reward than was asked for, an "
    "overshoot. Distance: 1 is a perfect sampler."
)
CAPTION = (
    f"{UNIT} {CONTROL} {TARGET} In round brackets: the paired change to vanilla. Diversity and "
    "calls (of the denoiser, forward and backward) are relative to vanilla's; so are the seconds, "
    "over the prompts on which vanilla was timed beside the method."
)
FIGURE = (
    "Of each method the setting whose denoiser calls are nearest to those of LiDAR's typical cell; "
    "lines are 95% intervals. The black bar is the gain "
    "of the exact target, where it is known: markers right of it overshoot. Right of the zero line "
    "in the second panel LiDAR gains more than either control does for as many denoiser calls."
)


def report(folder: Path, only: Collection[str] | None = None) -> Report:
    """Of these cells, None for all there are. Raises ValueError where there is no domain."""
    domains, left_out = read(folder, only)
    comparisons = {c: against(domain, c) for domain in domains for c in lidars(domain)}
    rows = frame(domains, comparisons)
    cells = [(domain, cell) for domain in domains if (cell := lidar(domain)) is not None]
    verdicts = [Verdict(d, cell, comparisons[cell].get(BEST)) for d, cell in cells]
    said = [verdict.sentence() for verdict in verdicts]
    said += [family(verdicts)] if verdicts else []
    results = [domain.results for domain in domains]
    facts = {
        "domains": str(len(domains)),
        "cells": str(len(rows)),
        "device": ", ".join(sorted({d for r in results for d in r.prompts.device})),
    }
    body = (
        Section("What it says", (Bullets(tuple(said)),)),
        Section("Gains", (Picture("domains", "Gains by domain", FIGURE, forest(rows)),
                          gain_table(rows))),
        Section("Controls at equal calls", control_parts(domains, comparisons)),
        axes_section(compared(d.results, summarize(d.results), d.name) for d in domains),
        Section("Domains", (domain_table(domains),)),
    )  # fmt: skip
    told = (*left_out, *gathered(domains))
    document = Document(f"{folder.name}: does the gain hold in other domains?", facts, told, body)
    return Report(document, display(rows, brief=True), folder.name, (*told, *said))


def gain_table(rows: pd.DataFrame) -> Table:
    """Every cell of every domain, each with its records."""
    links = tuple({"records": f"cells/{cell}/records.jsonl"} for cell in rows.cell)
    return Table("gains", display(rows), CAPTION, rows, ("method", "beside it"), links)


def display(rows: pd.DataFrame, brief: bool = False) -> pd.DataFrame:
    """The table's text; ``brief`` suits a terminal."""

    def text(row: pd.Series) -> dict[str, str]:
        vanilla = row.method == "vanilla"
        cells = {"domain": row.domain, "method": row.label + (" *" if row.coverage else "")}
        cells["gain [95%]"] = "reference" if vanilla else table.spread(row, "gain", "{:+z.2f}")
        cells["less best control"] = table.spread(row, "less.best", "{:+z.2f}")
        cells["over the target"] = table.spread(row, "overshoot", "{:+z.2f}")
        if not brief:
            told = [beside(row, name) for name in BESIDE if pd.notna(row[name])]
            cells["beside it"] = "; ".join(told) or table.NONE
            cells["diversity"] = table.number(row, "diversity", "{:.2f}×")
            cells["seconds"] = table.spread(row, "seconds", "{:.2f}")
        return cells | {"calls": f"{row.calls:.2f}×"}

    return pd.DataFrame([text(row) for _, row in rows.iterrows()])


def beside(row: pd.Series, name: str) -> str:
    """ "GenEval 0.620 (+0.078 [+0.033, +0.123])"."""
    value = f"{BESIDE[name]} {row[name]:.3f}"
    change = table.spread(row, f"{name}.change", "{:+z.3f}")
    return value if row.method == "vanilla" else f"{value} ({change})"


def control_parts(
    domains: list[Domain], comparisons: dict[str, dict[str, Against]]
) -> tuple[Table | Text]:
    """Each of LiDAR's cells against each control."""
    shown, full = [], []
    for domain in domains:
        for cell, label in domain.results.cells.label.items():
            found = comparisons.get(str(cell), {})
            for own in (own for key, own in found.items() if key != BEST):
                about = {"domain": domain.name, "method": label}
                told = f"{own.where} at {own.stands_in:.2f}×"
                row = {"control": CONTROLS[own.control], "LiDAR's calls": f"{own.calls:.2f}×"}
                row |= {"control's calls": told}
                row |= {"less the control [95%]": table.spelled(own.at(), "{:+z.2f}")}
                shown.append(about | row)
                whole = {"cell": cell, "control": own.control, "calls": own.calls}
                whole |= {"where": own.where, "stands_in": own.stands_in}
                full.append(about | whole | spread("less", own.at()))
    if not shown:
        return (Text("No control was run, or a task has a single prompt: no interval."),)
    text = (
        f"{CONTROL} Vanilla is Best-of-N with N = 1. Against {CHEAPER}, run at fewer calls than "
        "LiDAR's alone, a win leaves the question open."
    )
    return (
        Table("controls", pd.DataFrame(shown), text, pd.DataFrame(full), ("method", "control")),
    )


def domain_table(domains: list[Domain]) -> Table:
    """What each domain is."""
    rows = []
    for domain in domains:
        about = domain.results.cells.loc[domain.vanilla]
        rows.append(
            {
                "domain": domain.name,
                "reward": domain.results.reward,
                "prompts": str(len(domain.tags)),
                "images a prompt": str(about.images),
                "target solver": f"{about.solver}, {about.steps} steps",
                "unit of the gains": f"{domain.unit:.4g}",
                "vanilla's mean reward": f"{domain.of(domain.vanilla, _reward(domain)).mean():.4g}",
            }
        )
    text = "Prompts: those that all of the domain's cells finished, over which the gains are."
    return Table("domains", pd.DataFrame(rows), text, prose=("reward", "target solver"))


def gathered(domains: list[Domain]) -> list[str]:
    """The notes of all domains, each once, with the domains that it is of."""
    found: dict[str, list[str]] = {}
    for domain in domains:
        results = domain.results
        unsteady = placebo(summarize(results))
        for note in (*results.notes, *surroundings(results), *unsteady):
            found.setdefault(note, []).append(domain.name)
    return [
        f"{names[0] if len(names) == 1 else f'{len(names)} domains'}: {note}"
        for note, names in found.items()
    ]


def _reward(domain: Domain) -> str:
    return f"score.{domain.results.reward}"
