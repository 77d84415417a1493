"""Was the machine quiet? Seconds are told only of cells of which nothing shows that it was not.

Two things show it. Vanilla takes the same time on every prompt, so the machine was busy where more
than a quarter of its timings beside a cell exceed 1.15 times their median; a run repeats such a
pair (`bench.run.attempt`), so that a short disturbance leaves no trace. And cells of one method
with equal calls take equal time, vanilla's own pairs among them: where their costs are apart by
more than 3%, and by more than their timings scatter, none of them is believed. A cell with too few
pairs of its own to tell is believed as far as its vanilla cell is.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Literal

import numpy as np

from bench.report import choice
from bench.report.load import SIDES, Results
from bench.stats.interval import quantile_t

BUSY = "busy machine"
SLOW, SHARE = 1.15, 0.25
APART = 1.03
FEW = 4  # pairs, below which they tell nothing
LEAST = 8  # below which costs cover too seldom (not widened, 6: 90%, 3: 74% of 95%)

Unit = Literal["seconds", "calls"]


def busy(results: Results) -> dict[str, str]:
    """The cells whose seconds are not to be told, and what shows it, in words."""
    if "busy" not in results.memo:
        found = dict(_unequal(results)) | dict(_slow(results))
        for cell, base in results.references.items():
            if base in found and len(results.timed(cell)) < FEW:
                found.setdefault(cell, f"too few timings, and {results.cells.label[base]}: busy")
        results.memo["busy"] = {str(c): found[c] for c in results.cells.index if c in found}
    known: dict[str, str] = results.memo["busy"]
    return known


def unit(results: Results, least: int = LEAST) -> Unit:
    """What costs are compared in: seconds where every cell was timed on ``least`` prompts and none
    while the machine was busy, else calls of the denoiser, if vanilla is there to count them in."""
    if not results.references:
        return "seconds"
    cells = results.cells.index[choice.enough(results.cells)]
    if "timed" not in results.memo:
        results.memo["timed"] = min((len(results.timed(str(c))) for c in cells), default=0)
    return "calls" if busy(results) or results.memo["timed"] < least else "seconds"


def _slow(results: Results) -> Iterator[tuple[str, str]]:
    """Cells beside which vanilla was often much slower than its median."""
    for cell, row in results.cells.iterrows():
        own = results.of(str(cell))
        seconds = own[SIDES[0]].dropna()
        if row.method == "vanilla" and len(seconds) < FEW:
            seconds = own["seconds.total"].dropna()
        slow = int((seconds > SLOW * seconds.median()).sum())
        if len(seconds) >= FEW and slow > SHARE * len(seconds):
            yield (
                str(cell),
                f"{slow} of {len(seconds)} timings of vanilla exceed {SLOW}× the median",
            )


def _unequal(results: Results) -> Iterator[tuple[str, str]]:
    """Cells of one method with equal calls and unequal costs; vanilla's is 1."""
    alike: dict[object, dict[str, tuple[float, float]]] = {}
    calls = [c for c in results.prompts if c.startswith("calls.")]
    for cell, row in results.cells.iterrows():
        own = results.timed(str(cell))
        if len(own) < FEW:
            continue
        ratios = np.log(own[SIDES[1]].to_numpy(float) / own[SIDES[0]].to_numpy(float))
        reach = quantile_t(len(own) - 1) * ratios.std(ddof=1) / np.sqrt(len(own))
        key = (row.method, row.solver, row.steps, row.images, *own[calls].mean().round(6))
        group = alike.setdefault(key, {"": (0.0, 0.0)} if row.method == "vanilla" else {})
        group[str(cell)] = (float(ratios.mean()), float(reach))
    for group in alike.values():
        for (one, (a, near)), (other, (b, far)) in combinations(group.items(), 2):
            if abs(a - b) > max(np.log(APART), np.hypot(near, far)):
                costs = f"{np.exp(a):.2f}× and {np.exp(b):.2f}×"
                yield from ((c, f"equal calls, unequal costs: {costs}") for c in (one, other) if c)
