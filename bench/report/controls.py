"""Does a method beat what the same budget buys without it?

Three controls, each swept in its budget: Best-of-N; the best of LiDAR's own lookahead samples,
delivered as they are; vanilla with more steps. Cost is relative to vanilla, in seconds or, where
those are too few or not to be believed, in calls of the denoiser (`clock.unit`).

Where a method costs more or less than any setting of the control, by more than a twentieth, the
control's nearest setting stands in, and the comparison is one-sided: a control that wins although
it is cheaper would win at the method's budget too, and a method that wins although it is cheaper
would too. Any other outcome leaves the question open.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench import stats
from bench.report import choice
from bench.report.load import Results
from bench.report.sweeps import FEW, by_cost, sweeps

CONTROLS = {
    "best_of_n": "Best-of-N",
    "best_of_lookahead": "best of lookahead",
    "vanilla": "vanilla, more steps",
}
# Methods that guide nothing: they spend calls on more samples or more steps.
UNGUIDED = frozenset(
    "best_of_n best_of_n_joint best_of_lookahead draft_best_of_n vanilla_more_steps".split()
)
CHEAPER, DEARER = "a cheaper control", "a dearer control"
WHERE = {
    "matched": "matched",
    "dearer than the sweep": CHEAPER,
    "cheaper than the sweep": DEARER,
}
WHY = {
    "too few prompts": "a task with a single prompt: no interval",
    "cost too uncertain": "its cost is beyond the control's in more than 5% of draws: time more",
}


@dataclass(frozen=True)
class Comparison:
    """Quality of ``cell`` less that of ``control`` at the cell's own cost.

    ``where``: whether the cost is matched, or which end of the control's sweep, of cost
    ``stands_in``, was compared with. ``difference`` is None where ``reason`` says why. ``timed``:
    prompts on which all of these cells were timed; 0: cost is in calls.
    """

    cell: str
    control: str
    reason: str = ""
    cost: float | None = None
    where: str = ""
    stands_in: float | None = None
    difference: stats.Interval | None = None
    timed: int = 0

    @property
    def wins(self) -> bool:
        """The method is better at the control's budget or above it."""
        return self.difference is not None and self.difference.low > 0 and self.where != CHEAPER

    @property
    def loses(self) -> bool:
        """The control is better at the method's budget or below it."""
        return self.difference is not None and self.difference.high < 0 and self.where != DEARER


def comparisons(results: Results) -> list[Comparison]:
    """Every method's typical cell, and all of LiDAR's cells, against every control there is."""
    found = []
    usual, enough = choice.typicals(results.cells), choice.enough(results.cells)
    ours = (results.cells.method == "lidar") & enough
    groups = {c: by_cost(results, choice.budget(results.cells, c)) for c in CONTROLS}
    for cell in (str(c) for c in results.cells.index if c in usual or ours[c]):
        method = choice.family(str(results.cells.method[cell]))
        for control, group in groups.items():
            if control == method or method == "vanilla":
                continue
            if len(group) > (control == "vanilla"):  # vanilla alone has no more steps
                found.append(compare(results, cell, control, group))
    return found


def compare(
    results: Results, cell: str, control: str, group: list[str], marks: tuple[str, ...] = ()
) -> Comparison:
    """``cell`` against the settings ``group`` of a control, in the quality that is of the columns
    ``marks``: `Results.marks` where there are none."""
    if not choice.same_target(results.cells, cell, group[0]):
        return Comparison(cell, control, "another target solver, so another yardstick")
    pair = sweeps(results, [[cell], group], marks_of=marks)
    if pair is None:
        return Comparison(cell, control, FEW)
    found = stats.at_matched_cost(*pair)
    if found.difference is None:
        return Comparison(cell, control, WHY[found.status])
    where, freedom = WHERE[found.status], pair[0].cost.freedom
    timed = 0 if freedom is None else freedom + 1
    measured = (found.cost, where, found.stands_in, found.difference, timed)
    return Comparison(cell, control, "", *measured)


def said(found: Comparison) -> str:
    """A comparison in words."""
    if found.difference is None:
        return f"– ({found.reason})"
    d = found.difference
    text = f"{d.value:+.3f} [{d.low:+.3f}, {d.high:+.3f}]"
    text = f"tie ({text})" if d.tie else text
    beside = f" against {found.where} at {found.stands_in:.2f}×"
    return text if found.where == "matched" else text + beside
