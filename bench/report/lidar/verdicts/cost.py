"""Claims 1 and 3: what LiDAR costs, and what it saves at matched quality."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from bench import stats
from bench.report import choice, clock
from bench.report.evidence import Evidence
from bench.report.lidar.verdicts.base import (
    CLAIMS,
    FAILS,
    HOLDS,
    UNKNOWN,
    VACUOUS,
    Claim,
    Outcome,
    Verdict,
    above,
    every,
    missing,
    of_ratio,
    opposite,
    text,
    together,
)
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
    gain = _gain(evidence)
    measured = f"at GenEval {matched.quality:.3f}"
    if gain is not None:
        measured += f", vanilla's {text(gain)} (DATE's best less vanilla's)"
    unit = "in seconds" if found.timed else "in calls of the denoiser"
    measured += f": {said(matched, found.reason)} {unit}"
    reached = matched.value is not None
    p = 1.0
    if matched.value is not None:
        outcome = above(matched.value, 1)
        if outcome == FAILS and matched.status == "at least":
            outcome = UNKNOWN
        p = of_ratio(matched.value, 1.0) if outcome != UNKNOWN else 1.0
        reason = "the interval covers 1×" if outcome == UNKNOWN else ""
        measured += f"; the paper's 9.5× is {_beside(matched)}"
    else:
        never = matched.missing == ("fast",) and matched.share_reached < 0.025
        outcome = FAILS if never else UNKNOWN
        p = 2 * matched.share_reached if never else 1.0
        reason = "" if never else "LiDAR's reaching it is left open by the intervals"
    if gain is not None and above(gain) != HOLDS and (reached or outcome == FAILS):
        why = "DATE's best is not above vanilla's by its interval: nobody need pay for it"
        return Verdict(SPEEDUP, VACUOUS, measured, why, p)
    return Verdict(SPEEDUP, outcome, measured, reason, p)


def _gain(evidence: Evidence) -> stats.Interval | None:
    """GenEval of DATE's best setting less vanilla's; None without vanilla. Picked because it is the
    best, so it errs on the side of a gain."""
    cells = choice.budget(evidence.results.cells, "date")
    best = max(cells, key=lambda cell: evidence.summary.geneval[cell])
    vanilla = evidence.results.references.get(best)
    return None if vanilla is None else evidence.difference(best, vanilla, "geneval")


def _beside(matched: stats.Matched) -> str:
    """Where 9.5× lies; a lower bound excludes nothing above it."""
    assert matched.value is not None
    if matched.value.low <= 9.5 and (matched.status == "at least" or matched.value.high >= 9.5):
        return "not excluded" if matched.status == "at least" else "inside the interval"
    return "outside the interval"


def target_time(evidence: Evidence) -> Verdict:
    cells = sizes(evidence)
    level = _level(cells)
    noisy = clock.busy(evidence.results)
    quiet = {n: cell for n, cell in cells.items() if cell not in noisy}
    ratios = {n: target_ratio(evidence, cell, level) for n, cell in quiet.items()}
    known = {n: ratio for n, ratio in ratios.items() if ratio is not None}
    if not known:
        why = f"{clock.BUSY}: seconds are not told" if len(quiet) < len(cells) else ""
        return missing(TIME, why or "prompts of lidar timed beside vanilla are needed")
    return _up_to(TIME, known, level, _told(known))


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
    peaks = {n: target_peaks(evidence, cell) for n, cell in cells.items()}
    if any(own.empty or not (own > 0).all(axis=None) for own in peaks.values()):
        return missing(MEMORY, "memory was not counted beside vanilla, or is too little to be seen")
    ratios = {n: memory_ratio(own, _level(cells)) for n, own in peaks.items()}
    base = max(1024 * own.vanilla.max() for own in peaks.values())
    whole = max(
        ((own.method + own.resident) / (own.vanilla + own.resident)).max() for own in peaks.values()
    )
    measured = f"vanilla at most {base:.0f} MiB above what was resident; {_told(ratios)}"
    measured += f"; with what was resident at most {whole:.3f}×"
    return _up_to(MEMORY, ratios, _level(cells), measured)


def target_peaks(evidence: Evidence, cell: str) -> pd.DataFrame:
    """GiB on the timed prompts: target sampling's peak above what was ``resident``, the
    ``method``'s and that of ``vanilla`` beside it."""
    own = evidence.results.timed(cell)
    above_it = own["memory.target"] - own["memory.resident"]
    found = {"method": above_it, "vanilla": own["memory.vanilla"]}
    return pd.DataFrame(found | {"resident": own["memory.resident"]})


def memory_ratio(peaks: pd.DataFrame, level: float) -> stats.Interval:
    own, base = peaks.method.to_numpy(float), peaks.vanilla.to_numpy(float)
    return stats.cost_ratio(own, base, plain_draws(len(peaks)), level=level)


def _level(cells: Mapping[float, str]) -> float:
    """Of each interval, so that together they are of ``stats.LEVEL``."""
    return 1 - (1 - stats.LEVEL) / max(len(cells), 1)


def _told(ratios: Mapping[float, stats.Interval]) -> str:
    return "; ".join(f"n = {n:g}: {text(ratio, '{:.2f}×')}" for n, ratio in ratios.items())


def _up_to(
    claim: Claim, ratios: Mapping[float, stats.Interval], level: float, measured: str
) -> Verdict:
    """Whether no ratio up to the claim's n is above its threshold; "holds" only where that n was
    measured. ``level``: of each interval."""
    within = [ratio for n, ratio in ratios.items() if n <= PUBLISHED_N]
    outcome: Outcome = every([opposite(above(ratio, claim.threshold)) for ratio in within])
    largest = max(ratios)
    if outcome == HOLDS and not largest >= PUBLISHED_N:
        why = f"it holds up to n = {largest:g}, the claim goes to {PUBLISHED_N}: run such a cell"
        return Verdict(claim, UNKNOWN, measured, why, 1.0)
    p = together(outcome, [of_ratio(ratio, claim.threshold, level=level) for ratio in within])
    reason = f"an interval covers {claim.threshold:g}×" if outcome == UNKNOWN else ""
    return Verdict(claim, outcome, measured, reason, p)
