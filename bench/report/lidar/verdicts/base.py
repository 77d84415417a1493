"""A claim, what was measured of it here, and one of four verdicts.

No verdict rests on a point estimate: "holds" and "does not hold" each need a 95% interval that lies
wholly on one side of the claim's threshold, and that Holm's correction of all such verdicts leaves
standing (`family`). "Vacuous" is a claim about what vanilla has too. All else is "cannot tell
here", with the reason: that an interval covers a threshold makes nothing equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import yaml

from bench import stats
from bench.report.table import spelled

Outcome = Literal["holds", "does not hold", "vacuous", "cannot tell here"]
HOLDS: Outcome = "holds"
FAILS: Outcome = "does not hold"
VACUOUS: Outcome = "vacuous"
UNKNOWN: Outcome = "cannot tell here"
TASKS = 6  # strata of GenEval's prompts


@dataclass(frozen=True)
class Claim:
    """``number``: of the claim, as in "2a". ``published``: what the paper reports, with its place.
    ``criterion``: when the claim is said to hold here, and when not; ``threshold``: its number;
    ``margin``: where there is one, the difference that is still none that matters."""

    number: str
    text: str
    published: str
    criterion: str
    threshold: float = 0.0
    margin: float = 0.0

    @property
    def rule(self) -> str:
        """The criterion with its numbers."""
        return self.criterion.format(threshold=self.threshold, margin=self.margin)


_FILE = Path(__file__).with_name("claims.yaml")
CLAIMS = {
    number: Claim(number, **entry)
    for number, entry in yaml.safe_load(_FILE.read_text(encoding="utf-8")).items()
}


@dataclass(frozen=True)
class Verdict:
    """``measured``: what was found, with intervals; ``reason``: why nothing more can be said.
    ``p``: of the intervals that it rests on, None where it rests on none; ``corrected``: whether
    Holm's correction took a verdict back."""

    claim: Claim
    outcome: Outcome
    measured: str
    reason: str = ""
    p: float | None = None
    corrected: bool = False


def missing(claim: Claim, what: str) -> Verdict:
    """No verdict, for lack of ``what``."""
    return Verdict(claim, UNKNOWN, "–", what)


def family(found: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts with Holm's correction of those that rest on intervals: what is not decided at
    the corrected level cannot be told."""
    places = [place for place, verdict in enumerate(found) if verdict.p is not None]
    after = list(found)
    for place, p in zip(places, stats.holm([found[k].p or 0.0 for k in places]), strict=True):
        verdict = replace(found[place], p=float(p))
        if verdict.outcome in (HOLDS, FAILS) and p > 1 - stats.LEVEL:
            reason = (
                f"“{verdict.outcome}” by its own interval, not after Holm's correction for "
                f"{len(places)} verdicts (p = {p:.2g})"
            )
            verdict = replace(verdict, outcome=UNKNOWN, reason=reason, corrected=True)
        after[place] = verdict
    return after


def above(value: stats.Interval | None, threshold: float = 0.0) -> Outcome:
    """Whether ``value`` is above ``threshold``: by its whole interval, or not known."""
    if value is None or not value.known:
        return UNKNOWN
    if value.low > threshold:
        return HOLDS
    return FAILS if value.high < threshold else UNKNOWN


def opposite(outcome: Outcome) -> Outcome:
    """Of a claim that something is not above a threshold."""
    return {HOLDS: FAILS, FAILS: HOLDS}.get(outcome, outcome)


def every(outcomes: Sequence[Outcome]) -> Outcome:
    """Holds if all hold, does not if one does not."""
    if FAILS in outcomes:
        return FAILS
    return HOLDS if outcomes and all(o == HOLDS for o in outcomes) else UNKNOWN


def chance(
    value: stats.Interval | None, threshold: float = 0.0, strata: int = TASKS, level: float = 0.95
) -> float:
    """The p-value of an interval against a threshold; 1 where there is none. ``strata``: 1 for
    draws that are not stratified by task."""
    if value is None or not value.known:
        return 1.0
    return stats.p_value(value, max(value.prompts - strata, 1), threshold, level=level)


def of_ratio(
    value: stats.Interval | None, threshold: float, strata: int = 1, level: float = 0.95
) -> float:
    """`chance` of a ratio, whose interval is even in the logarithm."""
    if value is None or not value.known or value.low <= 0:
        return 1.0
    centre, low, high = np.log([value.value, value.low, value.high])
    return chance(
        stats.Interval(centre, low, high, value.prompts), float(np.log(threshold)), strata, level
    )


def together(outcome: Outcome, ps: Sequence[float]) -> float:
    """The p-value of a verdict on several intervals: where all must lie on one side the largest,
    where one is enough the smallest times their number."""
    if outcome == HOLDS:
        return max(ps, default=1.0)
    return min(1.0, len(ps) * min(ps, default=1.0)) if outcome == FAILS else 1.0


def decide(
    claim: Claim, outcome: Outcome, measured: str, p: float, *values: stats.Interval | None
) -> Verdict:
    """A verdict that rests on the intervals of ``values`` alone, against 0."""
    known = all(value is not None and value.known for value in values)
    doubt = "an interval covers 0" if known else "no interval: a task has a single prompt"
    return Verdict(claim, outcome, measured, doubt if outcome == UNKNOWN else "", p)


def text(value: stats.Interval | None, form: str = "{:+.3f}") -> str:
    """ "+0.12 [+0.05, +0.19]"."""
    if value is None or value.value != value.value:
        return "not measured"
    return spelled(value, form)
