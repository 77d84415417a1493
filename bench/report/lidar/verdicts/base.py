"""A claim, what was measured of it here, and one of three verdicts.

No verdict rests on a point estimate: "holds" and "does not hold" each need a 95% interval that lies
wholly on one side of the claim's threshold. All else is "cannot tell here", with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

from bench import stats
from bench.report.table import spelled

Outcome = Literal["holds", "does not hold", "cannot tell here"]
HOLDS: Outcome = "holds"
FAILS: Outcome = "does not hold"
UNKNOWN: Outcome = "cannot tell here"


@dataclass(frozen=True)
class Claim:
    """``number``: of the claim, as in "2a". ``published``: what the paper reports, with its place.
    ``criterion``: when the claim is said to hold here, and when not; ``threshold``: its number."""

    number: str
    text: str
    published: str
    criterion: str
    threshold: float = 0.0

    @property
    def rule(self) -> str:
        """The criterion with its number."""
        return self.criterion.format(threshold=self.threshold)


_FILE = Path(__file__).with_name("claims.yaml")
CLAIMS = {
    number: Claim(number, **entry)
    for number, entry in yaml.safe_load(_FILE.read_text(encoding="utf-8")).items()
}


@dataclass(frozen=True)
class Verdict:
    """``measured``: what was found, with intervals; ``reason``: why nothing more can be said."""

    claim: Claim
    outcome: Outcome
    measured: str
    reason: str = ""


def missing(claim: Claim, what: str) -> Verdict:
    """No verdict, for lack of ``what``."""
    return Verdict(claim, UNKNOWN, "–", what)


def above(value: stats.Interval | None, threshold: float = 0.0) -> Outcome:
    """Whether ``value`` is above ``threshold``: by its whole interval, or not known."""
    if value is None or not value.known:
        return UNKNOWN
    if value.low > threshold:
        return HOLDS
    return FAILS if value.high < threshold else UNKNOWN


def opposite(outcome: Outcome) -> Outcome:
    """Of a claim that something is not above a threshold."""
    if outcome == UNKNOWN:
        return UNKNOWN
    return FAILS if outcome == HOLDS else HOLDS


def every(outcomes: Sequence[Outcome]) -> Outcome:
    """Holds if all hold, does not if one does not."""
    if FAILS in outcomes:
        return FAILS
    return HOLDS if outcomes and all(o == HOLDS for o in outcomes) else UNKNOWN


def decide(
    claim: Claim, outcome: Outcome, measured: str, *values: stats.Interval | None
) -> Verdict:
    """A verdict that rests on the intervals of ``values`` alone, against 0."""
    known = all(value is not None and value.known for value in values)
    doubt = "an interval covers 0" if known else "no interval: a task has a single prompt"
    return Verdict(claim, outcome, measured, doubt if outcome == UNKNOWN else "")


def text(value: stats.Interval | None, form: str = "{:+.3f}") -> str:
    """ "+0.12 [+0.05, +0.19]"."""
    if value is None or value.value != value.value:
        return "not measured"
    return spelled(value, form)
