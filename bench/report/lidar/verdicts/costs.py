"""What two compared cells cost: told beside every difference, matched where it decides."""

from __future__ import annotations

from bench import stats
from bench.report import counting
from bench.report.controls import Comparison
from bench.report.evidence import Evidence
from bench.report.lidar.verdicts.base import FAILS, HOLDS, TASKS, UNKNOWN, Claim, Verdict, missing


def costs(evidence: Evidence, one: str, other: str) -> str:
    """ "equal calls", or "costs differ: 2.25× against 1×", of the second cell's calls."""
    calls = [counting.calls(evidence.results.of(cell)) for cell in (one, other)]
    if max(calls) <= stats.SAME * min(calls):
        return "equal calls"
    return f"costs differ: {calls[0] / calls[1]:.2f}× against 1× in calls"


def at_equal_cost(
    claim: Claim, found: Comparison, control: str, measured: str, margin: float = 0.0
) -> Verdict:
    """Whether a method beats its control at the method's own cost; not where costs could not be
    matched. With a ``margin`` a difference that is wholly within it is no beating."""
    if found.difference is None:
        return missing(claim, found.reason)
    same = margin > 0 and found.where == "matched" and stats.equivalent(found.difference, margin)
    if found.wins or found.loses:
        outcome = HOLDS if found.wins else FAILS
        small = f"; by less than the margin of {margin:g}" if same else ""
        return Verdict(claim, outcome, measured + small, "", p_value(found))
    if same:
        p = max(p_value(found, margin), p_value(found, -margin))
        return Verdict(claim, FAILS, f"{measured}: equivalent within ±{margin:g}", "", p)
    if found.where == "matched":
        within = f"; nor does it lie within ±{margin:g}" if margin else ""
        return Verdict(claim, UNKNOWN, measured, f"the interval covers 0{within}", 1.0)
    unit = "seconds" if found.timed else "calls"
    why = (
        f"costs differ: {found.cost:.2f}× vanilla's {unit} against {found.stands_in:.2f}×, where "
        f"the sweep of {control} ends: sweep further"
    )
    return Verdict(claim, UNKNOWN, measured, why, 1.0)


def p_value(found: Comparison, threshold: float = 0.0) -> float:
    """Of a difference at equal cost, whose degrees of freedom are the fewest of quality's and of
    timed prompts'."""
    if found.difference is None:
        return 1.0
    freedom = found.difference.prompts - TASKS
    freedom = min(freedom, found.timed - 1) if found.timed else freedom
    return stats.p_value(found.difference, max(freedom, 1), threshold)
