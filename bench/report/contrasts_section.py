"""The section of the primary contrasts."""

from __future__ import annotations

import pandas as pd

from bench import stats
from bench.report import table
from bench.report.contrasts import MARGIN, Contrast
from bench.report.document import Section, Table
from bench.report.evidence import Evidence

TITLE = "Primary contrasts"
ABOUT = (
    "The comparisons that were written down before the run; every other comparison in this report "
    "is exploratory. The difference is in GenEval, paired by prompt, with its 95% interval "
    f"stratified by task; the second interval holds for all {{0}} together. p is corrected by "
    f"Holm's procedure. Better or worse: p is at most 0.05. Equivalent: the second interval lies "
    f"wholly within ±{MARGIN:g}, a margin fixed beforehand. Calls of the denoiser, forward and "
    "backward, for one delivered image; costs are equal where they differ by at most a twentieth."
)
NOT_MEASURED = dict.fromkeys(
    ("difference [95%]", "all together", "p (Holm)", "GenEval of both", "calls of both", "costs"),
    table.NONE,
)


def contrast_section(evidence: Evidence) -> Section:
    """What became of each; empty where none was written down."""
    found = evidence.contrasts
    if not found:
        return Section(TITLE, ())
    shown = pd.DataFrame([_told(evidence, one) for one in found])
    full = pd.DataFrame([_full(one) for one in found])
    part = Table("contrasts", shown, ABOUT.format(len(found)), full, prose=("answer", "costs"))
    return Section(TITLE, (part,))


def _told(evidence: Evidence, one: Contrast) -> dict[str, str]:
    measured = one.difference is not None
    head = {"contrast": one.name, "answer": one.answer + (f" ({one.reason})" if one.reason else "")}
    if one.cells is None:
        return head | NOT_MEASURED
    scores = [evidence.summary.geneval[cell] for cell in one.cells]
    of = {
        "difference [95%]": _spelled(one.difference),
        "all together": _spelled(one.together),
        "p (Holm)": f"{one.p:.2g}" if measured else table.NONE,
        "GenEval of both": " / ".join(f"{s:.3f}" for s in scores) if measured else table.NONE,
        "calls of both": " / ".join(f"{calls:.4g}" for calls in one.calls),
        "costs": "equal" if one.same_cost else f"differ, {one.calls[0] / one.calls[1]:.2f}×",
    }
    return head | of


def _spelled(value: stats.Interval | None) -> str:
    return table.NONE if value is None else table.spelled(value, "{:+z.3f}")


def _full(one: Contrast) -> dict[str, object]:
    row: dict[str, object] = {"contrast": one.name, "answer": one.answer, "reason": one.reason}
    row |= dict(zip(("cell", "less"), one.cells or ("", ""), strict=True))
    for name, value in (("difference", one.difference), ("together", one.together)):
        ends = (value.value, value.low, value.high) if value else (None,) * 3
        row |= dict(zip((name, f"{name}.low", f"{name}.high"), ends, strict=True))
    row |= {"p": one.p, "margin": MARGIN, "calls": one.calls[0], "calls.less": one.calls[1]}
    return row
