"""The primary contrasts, that were named before the run: how much better is one cell than another?

All of a report's other comparisons are exploratory: there are many, and some are chosen because of
what they show. These few are a family, decided together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench import stats
from bench.report import counting
from bench.report.load import Results
from bench.report.summary import difference, draws
from bench.store.cells import TARGET
from bench.store.contrasts import is_of, read

MARGIN = 0.05  # of GenEval: a difference within it is no difference that matters


@dataclass(frozen=True)
class Contrast:
    """``difference``: GenEval of the first of ``cells`` less that of the second, paired by prompt;
    None where ``reason`` says why. ``together``: the same, where the intervals of all contrasts
    hold at once. ``p``: corrected by Holm's procedure. ``calls``: of the denoiser, an image."""

    name: str
    cells: tuple[str, str] | None = None
    reason: str = ""
    difference: stats.Interval | None = None
    together: stats.Interval | None = None
    p: float = 1.0
    calls: tuple[float, float] = (np.nan, np.nan)

    @property
    def answer(self) -> stats.Answer:
        if self.together is None:
            return "not decided"
        return stats.answer(self.together, self.p, MARGIN)

    @property
    def same_cost(self) -> bool:
        """Whether both sides take the same number of calls, give or take a twentieth."""
        return max(self.calls) <= stats.SAME * min(self.calls)


def contrasts(results: Results) -> list[Contrast]:
    """Those that the results folder holds, in its order. The family is all of them, those that
    cannot be measured here included."""
    declared = read(results.folder)
    level = 1 - (1 - stats.LEVEL) / max(len(declared), 1)
    found = [_measured(results, name, sides, level) for name, sides in declared.items()]
    own = [_p(results, one) for one in found]
    return [
        Contrast(c.name, c.cells, c.reason, c.difference, c.together, float(p), c.calls)
        for c, p in zip(found, stats.holm(own), strict=True)
    ]


def _measured(results: Results, name: str, sides: tuple[str, str], level: float) -> Contrast:
    """A contrast but for its p-value."""
    pairs = _pairs(results, sides)
    if len(pairs) != 1:
        many = f"its lines name {len(pairs)} pairs of these cells"
        return Contrast(name, reason=many if pairs else "its cells are not here")
    (pair,) = pairs
    calls = counting.calls(results.of(pair[0])), counting.calls(results.of(pair[1]))
    if results.quality != "geneval" or difference(results, *pair, "geneval") is None:
        return Contrast(name, pair, "GenEval was not judged on common prompts", calls=calls)
    plain, together = (difference(results, *pair, "geneval", of) for of in (stats.LEVEL, level))
    known = plain is not None and plain.known
    reason = "" if known else "a task with a single prompt: no interval"
    return Contrast(name, pair, reason, plain, together if known else None, calls=calls)


def _pairs(results: Results, sides: tuple[str, str]) -> list[tuple[str, str]]:
    """Cells of the two sides that share seed, target solver and steps."""
    cells = results.cells[(results.cells.done > 0) & ~results.cells.twin]
    first, second = (
        [str(cell) for cell, row in cells.iterrows() if is_of(side, row.config)] for side in sides
    )
    same = cells[TARGET]
    return [(a, b) for a in first for b in second if (same.loc[a] == same.loc[b]).all()]


def _p(results: Results, contrast: Contrast) -> float:
    """Of its difference, were there none; 1 where it was not measured."""
    if contrast.cells is None or contrast.difference is None:
        return 1.0
    tags, _ = results.shared(contrast.cells, results.marks)
    return stats.p_value(contrast.difference, draws(tags).freedom)
