"""What a report found, in a few sentences made by rules from its numbers.

Who scores best for about the same calls, whether LiDAR gains over vanilla and over its controls at
equal calls, and always what that costs: seconds, diversity, clutter, other judges. Cells are chosen
by their settings and calls, never by their results.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pandas as pd

from bench import stats
from bench.report.contrasts import Contrast
from bench.report.cost import calls, counted
from bench.report.evidence import Evidence
from bench.report.notes import untrained
from bench.report.table import spelled

ALIKE = 1.25  # calls of cells that are compared, larger over smaller
EQUAL = 1.05  # as ALIKE, to be called equal
NAMED = 3  # methods in a sentence; more are counted
NAMES = {"lidar": "LiDAR"}
RIVALS = {
    "best_of_lookahead": "its own best lookahead samples",
    "best_of_n_joint": "joint Best-of-N",
    "best_of_n": "Best-of-N",
}


def headline(evidence: Evidence) -> tuple[str, ...]:
    """The sentences; none where nothing was scored, or where the images mean nothing."""
    results, summary = evidence.results, evidence.summary
    if untrained(results) or summary[results.quality].isna().all():
        return ()
    spent = calls(results, summary)
    focus = subject(evidence)
    field = [c for c in alike(summary, spent, focus) if pd.notna(summary[results.quality][c])]
    if not field:
        return (*declared(evidence.contrasts),)
    best = str(summary[results.quality][field].idxmax())
    about = focus if summary.method[focus] in NAMES else best
    # What another sentence holds against the same cell is not told twice.
    told = [] if evidence.contrasts or about != best else [*rivals(summary, spent, about)]
    found = [*declared(evidence.contrasts), leader(evidence, field, best, spent[focus], told)]
    if not evidence.contrasts:
        found.append(gain(evidence, about, spent))
    found += [price(evidence, cell) for cell in dict.fromkeys((about, best))]
    return tuple(sentence for sentence in found if sentence)


def subject(evidence: Evidence) -> str:
    """The cell that the report is about: the first that was declared to be, else LiDAR's typical
    one, else the first typical one that is not vanilla's."""
    named = [one.cells[0] for one in evidence.contrasts if one.cells]
    summary = evidence.summary
    usual = [str(cell) for cell in summary.index[summary.typical]] or [str(summary.index[0])]
    ours = [cell for cell in usual if summary.method[cell] in NAMES]
    others = [cell for cell in usual if summary.method[cell] != "vanilla"]
    return [*named, *ours, *others, *usual][0]


def alike(summary: pd.DataFrame, spent: pd.Series, focus: str) -> list[str]:
    """Of each method the cell whose calls are nearest to those of ``focus``, where they are about
    as many; the typical cells of all methods where calls are not known."""
    if np.isnan(spent[focus]):
        return [str(cell) for cell in summary.index[summary.typical]]
    apart = np.log(spent / spent[focus]).abs()
    near = apart[apart <= np.log(ALIKE)].sort_values(kind="stable")
    near = near.drop(focus)[summary.method[near.index.drop(focus)] != summary.method[focus]]
    return [focus, *(str(c) for c in near.index[~summary.method[near.index].duplicated()])]


def declared(contrasts: Sequence[Contrast]) -> Iterator[str]:
    """What became of the contrasts that were written down before the run."""
    told = [
        f"{one.name} {spelled(one.difference, '{:+z.3f}')}, {one.answer}"
        if one.difference is not None
        else f"{one.name} could not be measured ({one.reason})"
        for one in contrasts
    ]
    if told:
        yield f"As declared before the run, in GenEval: {'; '.join(told)}."


def leader(
    evidence: Evidence, field: Sequence[str], best: str, times: float, told: Collection[str] = ()
) -> str:
    """Which method of the field scores best, and from which it cannot be told, those ``told``
    apart."""
    results, summary = evidence.results, evidence.summary
    if len(field) == 1:
        return ""
    others = [cell for cell in field if cell != best and cell not in told]
    gaps = {cell: evidence.difference(best, cell, results.quality) for cell in others}
    close = [c for c, gap in gaps.items() if gap is None or not gap.known or gap.low <= 0]
    value = spelled(evidence.estimate(best, results.quality), "{:.3f}")
    said = (
        f"Of {len(field)} methods{at(times)}, {name(summary, best)} scores best by "
        f"{results.axis}: {value}"
    )
    if base := reference(evidence, best):
        said += f", vanilla {summary[results.quality][base]:.3f}"
    if not close:
        return f"{said}."
    names = " and ".join(name(summary, cell) for cell in close)
    many = f"{len(close)} of the others" if len(close) > NAMED else names
    prompts = int(summary[f"{results.quality}.prompts"][best])
    return f"{said}; {prompts} prompts cannot tell it from {many}."


def gain(evidence: Evidence, cell: str, spent: pd.Series) -> str:
    """The gain over vanilla, and LiDAR's over its controls."""
    results, summary = evidence.results, evidence.summary
    base = reference(evidence, cell)
    change = evidence.difference(cell, base, results.quality) if base else None
    if change is None:
        return ""
    if not change.known:
        return f"{change.prompts} prompts, one a task, allow no intervals: nothing is decided here."
    said = [compared(name(summary, cell), change, "vanilla")]
    for other in rivals(summary, spent, cell):
        gap, share = evidence.difference(cell, other, results.quality), spent[other] / spent[cell]
        if gap is None or not gap.known or (gap.low > 0 and share * EQUAL < 1):
            continue
        what = RIVALS[str(summary.method[other])]
        at_calls = "equal calls" if share * EQUAL >= 1 else f"{share:.2f} of its calls"
        said.append(compared("it", gap, f"{what} at {at_calls}"))
    return f"{listed(said)}."


def rivals(summary: pd.DataFrame, spent: pd.Series, cell: str) -> Iterator[str]:
    """Of each control the cell that takes as many calls as ``cell``, or else the most of those that
    take fewer. One that takes fewer and loses says nothing."""
    for method in RIVALS if summary.method[cell] in NAMES else ():
        own = spent[(summary.method == method) & (spent <= EQUAL * spent[cell])]
        if len(own):
            yield str(own.idxmax())


def compared(who: str, gap: stats.Interval, what: str) -> str:
    """A paired difference in words."""
    value = spelled(gap, "{:+z.3f}")
    if gap.tie:
        return f"{gap.prompts} prompts cannot tell {who} from {what} ({value})"
    return f"{who} scores {'above' if gap.value > 0 else 'below'} {what} ({value})"


def price(evidence: Evidence, cell: str) -> str:
    """What a cell gives away: every one of these that was measured, flattering or not."""
    summary, row = evidence.summary, evidence.summary.loc[cell]
    base = reference(evidence, cell)
    if base is None or base == cell:
        return ""
    vanilla, said = summary.loc[base], []
    if row.clutter == row.clutter:
        theirs = f"vanilla in {vanilla.clutter:.0%}"
        said.append(f"leaves extra objects in {row.clutter:.0%} of its images ({theirs})")
    if row.distinct_share == row.distinct_share:
        share, theirs = f"{row.distinct_share:.0%}", f"vanilla {vanilla.distinct_share:.0%}"
        said.append(f"has {share} of its images right and no copies of one another ({theirs})")
    if vanilla.diversity > 0 and row.diversity >= 0:
        kept = f"keeps {row.diversity / vanilla.diversity:.2f} of vanilla's diversity"
        right = evidence.estimate(cell, "diversity_right.change")
        if right.known:
            change = spelled(right, "{:+z.3f}")
            kept += f" ({change} on the {right.prompts} prompts where all images of both are right)"
        said.append(kept)
    for score in evidence.results.scores[1:]:
        lost = evidence.estimate(cell, f"score.{score}.change")
        if lost.high < 0:
            said.append(f"lowers the {score} score ({spelled(lost, '{:+.3f}')})")
    if counted(evidence.results, summary).unit[cell] == "seconds" and row.cost == row.cost:
        said.append(f"takes {row.cost:.2f} times vanilla's seconds")
    who = NAMES.get(str(row.method), str(row.method))  # another sentence has told which cell
    return f"{who} {listed(said)}." if said else ""


def reference(evidence: Evidence, cell: str) -> str | None:
    """The vanilla cell that a cell is compared with, where it is another cell."""
    base = evidence.results.references.get(cell)
    return base if base != cell and base in evidence.summary.index else None


def name(summary: pd.DataFrame, cell: str) -> str:
    """A cell's label, with the method's own spelling."""
    label, method = str(summary.label[cell]), str(summary.method[cell])
    return label.replace(method, NAMES.get(method, method), 1)


def at(times: float) -> str:
    """ " at about twice vanilla's calls"."""
    if np.isnan(times):
        return ""
    words = next((word for n, word in ((1, ""), (2, "twice ")) if abs(times - n) < n / 20), None)
    return f" at about {f'{times:.2g} times ' if words is None else words}vanilla's calls"


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
