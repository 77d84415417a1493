"""What the paper leaves open and users ask."""

from __future__ import annotations

from bench.report.controls import CONTROLS, said
from bench.report.evidence import Evidence
from bench.report.lidar.verdicts.base import (
    CLAIMS,
    FAILS,
    HOLDS,
    UNKNOWN,
    Claim,
    Verdict,
    above,
    chance,
    decide,
    missing,
    opposite,
    text,
)
from bench.report.lidar.verdicts.costs import at_equal_cost, costs

PAPERS_BACKBONES = ("sd15", "sd15_dpo", "sdxl", "flux_dev")
PAPERS_REWARD = "imagereward"

ELSEWHERE = CLAIMS["A"]
BEST_OF_N = CLAIMS["B"]
LOOKAHEAD = CLAIMS["C"]
CLUTTER = CLAIMS["D"]


def elsewhere(evidence: Evidence) -> Verdict:
    results = evidence.results
    backbone, cell = str(results.cells.backbone.iloc[0]), evidence.typical("lidar")
    if backbone in PAPERS_BACKBONES and results.reward == PAPERS_REWARD:
        return missing(ELSEWHERE, f"{backbone} with {results.reward} is the paper's own setting")
    if cell is None or not results.references:
        return missing(ELSEWHERE, "cells of lidar and of vanilla are needed")
    change = evidence.estimate(cell, "geneval.change")
    if change.value != change.value:
        return missing(ELSEWHERE, "GenEval was not judged")
    measured = f"{backbone}, guided by {results.reward}: GenEval {text(change)}"
    measured += f"; {costs(evidence, cell, results.references[cell])}"
    return decide(ELSEWHERE, above(change), measured, chance(change), change)


def best_of_n(evidence: Evidence) -> Verdict:
    return _control(evidence, BEST_OF_N, "best_of_n")


def lookahead(evidence: Evidence) -> Verdict:
    return _control(evidence, LOOKAHEAD, "best_of_lookahead")


def _control(evidence: Evidence, claim: Claim, control: str) -> Verdict:
    cell = evidence.typical("lidar")
    found = [c for c in evidence.controls if c.cell == cell and c.control == control]
    if not found or evidence.results.quality != "geneval":
        return missing(claim, f"judged and timed cells of lidar and of {control} are needed")
    (one,) = found
    return at_equal_cost(claim, one, CONTROLS[control], said(one), claim.margin)


def clutter(evidence: Evidence) -> Verdict:
    """Of images in which the detector finds more than was asked for: GenEval does not punish
    them."""
    cell = evidence.typical("lidar")
    vanilla = evidence.results.references.get(str(cell))
    if cell is None or vanilla is None:
        return missing(CLUTTER, "cells of lidar and of vanilla are needed")
    more = evidence.difference(cell, vanilla, "clutter")
    if more is None:
        return missing(CLUTTER, "detections beyond those asked for were not counted")
    shares = [evidence.results.of(c).clutter.mean() for c in (cell, vanilla)]
    measured = (
        f"{shares[0]:.1%} of LiDAR's images, {shares[1]:.1%} of vanilla's; difference {text(more)}"
    )
    margin = CLUTTER.margin
    if above(more) == HOLDS:
        return Verdict(CLUTTER, FAILS, measured, "", chance(more))
    outcome = opposite(above(more, margin))
    if outcome == HOLDS:
        return Verdict(CLUTTER, HOLDS, measured, "", chance(more, margin))
    return Verdict(CLUTTER, UNKNOWN, measured, f"the interval covers 0 and {margin:g}", 1.0)
