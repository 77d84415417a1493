"""The claims of LiDAR's paper: a short list of those that these cells decide, and all of them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.report import table
from bench.report.document import Bullets, Part, Section, Table, Text
from bench.report.evidence import Evidence
from bench.report.lidar.verdicts import apply, corrections, decided, estimate, verdicts
from bench.report.lidar.verdicts.base import Verdict

PAPER = (
    "Claims of LiDAR's paper (arXiv 2602.03211), and what it leaves open, as far as these cells "
    "decide them. Brackets are 95% intervals over prompts."
)
VERDICTS = (
    "Published figures stand beside measured ones. Where a method has several cells its typical "
    "one speaks: its settings are the most common among them, whatever they scored."
)
CLAIMS = "Every claim, and how it was judged"
MARKS = {"holds": "✓", "does not hold": "✗"}


def verdict_section(evidence: Evidence) -> Section:
    """The claims that these cells decide, a line each; empty where they decide none."""
    own = [v for v in reached(evidence) if estimate.SEE not in v.measured]
    lines = tuple(
        f"{MARKS.get(v.outcome, '–')} {v.claim.text}: {v.outcome}. Measured: {v.measured}."
        for v in own
    )
    return Section("Verdicts", (Text(PAPER), Bullets(lines)) if lines else ())


def claim_section(evidence: Evidence) -> Section:
    """Every claim with a verdict, by which criterion it was judged, and in a sentence those that
    these cells leave open."""
    found = reached(evidence)
    if not found:
        return Section(CLAIMS, ())
    every = verdicts(evidence)
    shown = _told(found).drop(columns="why not")
    rules = pd.DataFrame([{"no.": v.claim.number, "criterion": v.claim.rule} for v in found])
    told = "By what each verdict is reached."
    parts: list[Part] = [
        Table(
            "verdicts",
            shown,
            f"{VERDICTS} {corrections(every)}",
            _told(every),
            prose=tuple(shown)[1:],
        ),
        Table("criteria", rules, told, prose=("criterion",)),
    ]
    open_ = [v for v in every if v.claim not in [one.claim for one in found]]
    if silent := "; ".join(f"{v.claim.number} ({v.reason})" for v in open_):
        parts.append(Text(f"Not decided by these cells: {silent}."))
    return Section(CLAIMS, tuple(parts), folded=True)


def reached(evidence: Evidence) -> list[Verdict]:
    """The verdicts that say something, where the claims are about such cells."""
    return decided(verdicts(evidence)) if apply(evidence) else []


def _told(found: Sequence[Verdict]) -> pd.DataFrame:
    rows = [
        {"no.": v.claim.number, "claim": v.claim.text, "published": v.claim.published,
         "measured here": v.measured, "verdict": v.outcome, "why not": v.reason,
         "p (Holm)": table.NONE if v.p is None else f"{v.p:.2g}"}
        for v in found
    ]  # fmt: skip
    return pd.DataFrame(rows)
