"""Does a method beat what the same budget buys without it?

Three controls, each swept in its budget: Best-of-N; the best of LiDAR's own lookahead samples,
delivered as they are; vanilla with more steps. Cost is seconds relative to vanilla.

Where a method costs more or less than any setting of the control, the control's nearest setting
stands in. Within a twentieth of the method's cost that is the same cost; further off the comparison
is one-sided: a control that wins although it is cheaper would win at the method's budget too, and a
method that wins although it is cheaper would too. Any other outcome leaves the question open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench import stats
from bench.report import choice
from bench.report.load import Results
from bench.report.sweeps import by_cost, sweeps

CONTROLS = {
    "best_of_n": "Best-of-N",
    "best_of_lookahead": "best of lookahead",
    "vanilla": "vanilla, more steps",
}
SAME = 1.05
Where = Literal["matched", "a cheaper control", "a dearer control"]


@dataclass(frozen=True)
class Comparison:
    """GenEval of ``cell`` less that of ``control`` at the cell's own cost.

    ``settings``: of the control's sweep; ``where``: whether the cost is matched, or which end of
    the control's sweep, of cost ``stands_in``, was compared with. ``difference`` is None where
    ``reason`` says why.
    """

    cell: str
    control: str
    settings: int
    cost: float | None
    where: Where | None
    stands_in: float | None
    difference: stats.Interval | None
    reason: str

    @property
    def wins(self) -> bool:
        """The method is better at the control's budget or above it."""
        better = self.difference is not None and self.difference.low > 0
        return better and self.where != "a cheaper control"

    @property
    def loses(self) -> bool:
        """The control is better at the method's budget or below it."""
        worse = self.difference is not None and self.difference.high < 0
        return worse and self.where != "a dearer control"


def comparisons(results: Results) -> list[Comparison]:
    """Every method's typical cell against every control that the folder holds."""
    found = []
    for cell in choice.typicals(results.cells):
        method = choice.family(str(results.cells.method[cell]))
        for control in CONTROLS:
            if control == method or method == "vanilla":
                continue
            group = by_cost(results, choice.budget(results.cells, control))
            if group:
                found.append(compare(results, cell, control, group))
    return found


def compare(results: Results, cell: str, control: str, group: list[str]) -> Comparison:
    """``cell`` against the settings ``group`` of a control."""

    def failed(reason: str) -> Comparison:
        return Comparison(cell, control, len(group), None, None, None, None, reason)

    target = ["steps", "solver"]
    if not results.cells.loc[cell, target].equals(results.cells.loc[group[0], target]):
        return failed("another target solver, so another yardstick")
    pair = sweeps(results, [[cell], group])
    if pair is None:
        return failed("not judged, or fewer than two prompts timed in both")
    own, rival = pair
    matched = stats.at_matched_cost(own, rival)
    if not own.draws.known:
        return failed("a task with a single prompt: no interval")
    if matched.difference is not None:
        return Comparison(cell, control, len(group), matched.cost, "matched", matched.cost,
                          matched.difference, "")  # fmt: skip
    dearer = matched.status == "dearer than the sweep"
    best = stats.best_of(rival) if dearer else stats.setting_of(rival, 0)
    value = own.quality.value[0] - best.value
    samples = own.quality.samples[:, 0] - best.samples
    stands_in = float(rival.cost.value[-1 if dearer else 0])
    where: Where = "a cheaper control" if dearer else "a dearer control"
    if 1 / SAME <= stands_in / matched.cost <= SAME:
        where = "matched"
    return Comparison(
        cell,
        control,
        len(group),
        matched.cost,
        where,
        stands_in,
        stats.percentile(value, samples, own.draws),
        "",
    )


def said(found: Comparison) -> str:
    """A comparison in words."""
    if found.difference is None:
        return f"– ({found.reason})"
    d = found.difference
    text = f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"
    if d.tie:
        text = f"tie ({text})"
    if found.where == "matched":
        return text
    return f"{text} against {found.where} at {found.stands_in:.2f}×"
