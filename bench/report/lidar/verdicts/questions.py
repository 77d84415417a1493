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
    Outcome,
    Verdict,
    above,
    decide,
    missing,
    text,
)
from bench.report.lidar.verdicts.quality import kept

PAPERS_BACKBONES = ("sd15", "sd15_dpo", "sdxl", "flux_dev")
PAPERS_REWARD = "imagereward"

ELSEWHERE = CLAIMS["A"]
BEST_OF_N = CLAIMS["B"]
LOOKAHEAD = CLAIMS["C"]
DIVERSITY = CLAIMS["D"]


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
    return decide(ELSEWHERE, above(change), measured, change)


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
    outcome: Outcome = HOLDS if one.wins else FAILS if one.loses else UNKNOWN
    if one.difference is None:
        return missing(claim, one.reason)
    reason = ""
    if outcome == UNKNOWN:
        sweep = f"{CONTROLS[control]} was swept to {one.stands_in:.2f}×, LiDAR costs {one.cost:.2f}"
        reason = "the interval covers 0" if one.where == "matched" else f"{sweep}×: sweep further"
    return Verdict(claim, outcome, said(one), reason)


def diversity(evidence: Evidence) -> Verdict:
    cell = evidence.typical("lidar")
    change = None if cell is None else evidence.estimate(cell, "diversity.change")
    if cell is None or change is None or change.value != change.value:
        return missing(DIVERSITY, "diversity of lidar and of vanilla is needed")
    margin = DIVERSITY.threshold
    rest = kept(evidence, cell, evidence.results.references[cell], margin)
    outcome = FAILS if above(change) == FAILS else HOLDS if above(rest) == HOLDS else UNKNOWN
    measured = f"{text(change)}; less {margin:g} of vanilla's: {text(rest)}"
    return decide(DIVERSITY, outcome, measured, change, rest)
