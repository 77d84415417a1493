"""Claims 1 and 3: what LiDAR costs, and what it saves at matched quality."""

from __future__ import annotations

import numpy as np

from bench import stats
from bench.report import choice
from bench.report.evidence import Evidence
from bench.report.lidar.verdicts.base import (
    CLAIMS,
    FAILS,
    HOLDS,
    UNKNOWN,
    Claim,
    Outcome,
    Verdict,
    above,
    every,
    missing,
    opposite,
    text,
)
from bench.report.notes import placebo
from bench.report.speedups import said
from bench.report.summary import plain_draws

PUBLISHED_N = 800

SPEEDUP = CLAIMS["1"]
TIME = CLAIMS["3a"]
MEMORY = CLAIMS["3b"]
N = "efr.lookahead.n"


def speedup(evidence: Evidence) -> Verdict:
    found = {s.method: s for s in evidence.speedups}.get("date")
    if found is None or evidence.results.quality != "geneval":
        return missing(SPEEDUP, "judged cells of lidar and of date are needed")
    matched = found.faster
    if matched is None:
        plain = text(found.plain, "{:.2f}×")
        why = f"{found.reason}; sweep method.efr.lookahead.n and method.steer.embedding.every"
        return Verdict(SPEEDUP, UNKNOWN, f"plain ratio of costs {plain}, no matched quality", why)
    measured = f"{_at(evidence, matched.quality)}: {said(matched, found.reason)}"
    if matched.value is not None:
        outcome = above(matched.value, 1)
        if outcome == FAILS and matched.status == "at least":
            outcome = UNKNOWN
        reason = "the interval covers 1×" if outcome == UNKNOWN else ""
        measured += f"; the paper's 9.5× is {_beside(matched)}"
        return Verdict(SPEEDUP, outcome, measured, reason)
    if matched.missing == ("fast",) and matched.share_reached < 0.025:
        return Verdict(SPEEDUP, FAILS, measured)
    return Verdict(SPEEDUP, UNKNOWN, measured, "LiDAR's reaching it is left open by the intervals")


def _at(evidence: Evidence, quality: float) -> str:
    """The level at which costs are compared, and whether guidance is needed for it at all."""
    cell = evidence.typical("date")
    vanilla = evidence.results.references.get(str(cell))
    level = f"at GenEval {quality:.3f}"
    if vanilla is None or not evidence.summary.geneval[vanilla] >= quality:
        return level
    return f"{level}, no more than vanilla's {evidence.summary.geneval[vanilla]:.3f} at 1×"


def _beside(matched: stats.Matched) -> str:
    """Where 9.5× lies; a lower bound excludes nothing above it."""
    assert matched.value is not None
    if matched.value.low <= 9.5 and (matched.status == "at least" or matched.value.high >= 9.5):
        return "not excluded" if matched.status == "at least" else "inside the interval"
    return "outside the interval"


def target_time(evidence: Evidence) -> Verdict:
    cells = sizes(evidence)
    level = 1 - (1 - stats.LEVEL) / max(len(cells), 1)
    ratios = {n: target_ratio(evidence, cell, level) for n, cell in cells.items()}
    known = {n: ratio for n, ratio in ratios.items() if ratio is not None}
    if not known:
        return missing(TIME, "prompts of lidar timed beside vanilla are needed")
    measured = "; ".join(f"n = {n:g}: {text(r, '{:.2f}×')}" for n, r in known.items())
    if off := placebo(evidence.summary):
        return Verdict(TIME, UNKNOWN, measured, "; ".join(off))
    below = [
        opposite(above(ratio, TIME.threshold)) for n, ratio in known.items() if n <= PUBLISHED_N
    ]
    return _up_to(TIME, max(known), every(below), measured)


def sizes(evidence: Evidence) -> dict[float, str]:
    """LiDAR's cells by n: the sweep of n, or its typical cell alone."""
    cells = evidence.results.cells
    swept = choice.varied(cells, "lidar", N)
    usual = evidence.typical("lidar")
    if swept.empty and usual is not None and N in cells.settings[usual]:
        return {float(cells.settings[usual][N]): usual}
    return {float(n): str(cell) for cell, n in swept.items()}


def target_ratio(evidence: Evidence, cell: str, level: float) -> stats.Interval | None:
    """Seconds of denoising and decoding over vanilla's whole call, on the timed prompts."""
    own = evidence.results.timed(cell)
    if own.empty:
        return None
    target = (own["seconds.denoise"] + own["seconds.decode"]).to_numpy(float)
    drawn = plain_draws(len(own))
    return stats.cost_ratio(target, own["yardstick.vanilla"].to_numpy(float), drawn, level=level)


def memory(evidence: Evidence) -> Verdict:
    cells, references = sizes(evidence), evidence.results.references
    if not cells or not references:
        return missing(MEMORY, "cells of lidar and of vanilla are needed")
    vanilla = references[next(iter(cells.values()))]
    sizes_of = evidence.results.prompts[["cell", "batch"]].drop_duplicates()
    if sizes_of[sizes_of.cell.isin([*cells.values(), vanilla])].batch.nunique() > 1:
        return missing(MEMORY, "the cells were sampled in batches of different sizes")
    base = evidence.results.of(vanilla)["memory.allocated"].max()
    held = {n: evidence.results.of(cell)["memory.allocated"].max() for n, cell in cells.items()}
    if np.isnan(base) or any(np.isnan(gib) for gib in held.values()):
        return missing(MEMORY, "memory is counted on accelerators alone")
    measured = f"vanilla {base:.2f} GiB; " + "; ".join(
        f"n = {n:g}: {gib:.2f} GiB" for n, gib in held.items()
    )
    kept = [HOLDS if gib <= base * (TIME.threshold) else FAILS for n, gib in held.items()
            if n <= PUBLISHED_N]  # fmt: skip
    return _up_to(MEMORY, max(held), every(kept), measured)


def _up_to(claim: Claim, largest: float, outcome: Outcome, measured: str) -> Verdict:
    """``outcome``, but "holds" only where the n of the claim was measured."""
    if outcome == HOLDS and not largest >= PUBLISHED_N:
        why = f"it holds up to n = {largest:g}, the claim goes to {PUBLISHED_N}: run such a cell"
        return Verdict(claim, UNKNOWN, measured, why)
    reason = f"an interval covers {claim.threshold:g}×" if outcome == UNKNOWN else ""
    return Verdict(claim, outcome, measured, reason)
