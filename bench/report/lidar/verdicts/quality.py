"""Claims 5 to 7: whose reward rises at whose expense, what collapses, and what adds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bench import stats
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
    every,
    missing,
    opposite,
    text,
)
from bench.report.summary import draws

GUIDES = " (guides)"

HACKING = CLAIMS["5a"]
LIFTS = CLAIMS["5b"]
COLLAPSE = CLAIMS["6a"]
KEEPS = CLAIMS["6b"]
WITH_SMC = CLAIMS["7a"]
WITH_BON = CLAIMS["7b"]
WITH_DPO = CLAIMS["7c"]


def changes(evidence: Evidence, cell: str) -> dict[str, stats.Interval]:
    """Changes to vanilla: of the guiding reward first, then GenEval's and the judges'."""
    reward = evidence.results.reward
    names = {f"{reward}{GUIDES}": f"score.{reward}", "GenEval": "geneval"}
    names |= {judge: f"score.{judge}" for judge in evidence.judges}
    found = {head: evidence.estimate(cell, f"{name}.change") for head, name in names.items()}
    return {head: value for head, value in found.items() if value.value == value.value}


def corrected(evidence: Evidence, cell: str, heads: list[str]) -> Iterator[stats.Interval | None]:
    """These changes to vanilla (names as of `changes`) with intervals that hold all together."""
    vanilla = evidence.results.references[cell]
    level = 1 - (1 - stats.LEVEL) / len(heads)
    for head in heads:
        name = "geneval" if head == "GenEval" else f"score.{head}"
        yield evidence.difference(cell, vanilla, name, level)


def _spelled(found: dict[str, stats.Interval]) -> str:
    return "; ".join(f"{head} {text(value)}" for head, value in found.items())


def hacking(evidence: Evidence) -> Verdict:
    cell = evidence.typical("ug")
    found = changes(evidence, cell) if cell else {}
    if len(found) < 2 or not next(iter(found)).endswith(GUIDES):
        return missing(HACKING, "judged cells of ug and of vanilla, of one reward, are needed")
    own, *others = (above(value) for value in found.values())
    fell = cell is not None and any(
        above(value) == FAILS for value in corrected(evidence, cell, list(found)[1:])
    )
    outcome: Outcome = UNKNOWN
    if own == HOLDS and fell and HOLDS not in others:
        outcome = HOLDS
    elif own == FAILS or (HOLDS in others and FAILS not in others):
        outcome = FAILS
    said = decide(HACKING, outcome, _spelled(found), *found.values())
    if outcome == UNKNOWN and own == HOLDS and FAILS in others:
        both = HOLDS in others
        why = "some judges rose and some fell" if both else "no fall at the corrected level"
        return replace(said, reason=why)
    return said


def lifts(evidence: Evidence) -> Verdict:
    cell = evidence.typical("lidar")
    found = changes(evidence, cell) if cell else {}
    if len(found) < 2 or not next(iter(found)).endswith(GUIDES):
        return missing(LIFTS, "judged cells of lidar and of vanilla, of one reward, are needed")
    outcome = every([above(value) for value in found.values()])
    return decide(LIFTS, outcome, _spelled(found), *found.values())


def collapse(evidence: Evidence) -> Verdict:
    cell = evidence.typical("fk_smc")
    if cell is None:
        return missing(COLLAPSE, "a cell of fk_smc is needed")
    row = evidence.results.cells.loc[cell]
    particles = row.settings.get("steer.smc.particles", "None")
    if (particles if particles != "None" else str(row.images)) != "4":
        return missing(COLLAPSE, "fk_smc here does not have four particles")
    return _kept(evidence, COLLAPSE, cell, below=True)


def keeps(evidence: Evidence) -> Verdict:
    cell = evidence.typical("lidar")
    if cell is None:
        return missing(KEEPS, "a cell of lidar is needed")
    return _kept(evidence, KEEPS, cell)


def _kept(evidence: Evidence, claim: Claim, cell: str, below: bool = False) -> Verdict:
    """Whether diversity is above (or below) the claim's share of vanilla's."""
    share = claim.threshold
    vanilla = evidence.results.references.get(cell)
    rest = None if vanilla is None else kept(evidence, cell, vanilla, share)
    if vanilla is None or rest is None:
        return missing(claim, "diversity was not measured in this cell and in a vanilla cell")
    outcome = opposite(above(rest)) if below else above(rest)
    own = evidence.estimate(cell, "diversity")
    base = evidence.estimate(vanilla, "diversity")
    measured = (
        f"{text(own, '{:.3f}')}, {own.value / base.value:.0%} of vanilla's "
        f"{text(base, '{:.3f}')}; less {share:g} of vanilla's: {text(rest)}"
    )
    return decide(claim, outcome, measured, rest)


def kept(evidence: Evidence, cell: str, vanilla: str, share: float) -> stats.Interval | None:
    """Diversity less ``share`` of vanilla's, paired by prompt; None where it was not measured."""
    tags, (values,) = evidence.results.shared([cell, vanilla], ["diversity"])
    return None if tags.empty else stats.mean(values[0] - share * values[1], draws(tags))


def with_smc(evidence: Evidence) -> Verdict:
    return _adds(evidence, WITH_SMC, "lidar_smc", "fk_smc")


def with_bon(evidence: Evidence) -> Verdict:
    return _adds(evidence, WITH_BON, "lidar_bon", "best_of_n")


def with_dpo(evidence: Evidence) -> Verdict:
    if evidence.results.cells.backbone.iloc[0] != "sd15_dpo":
        return missing(WITH_DPO, "cells with backbone=sd15_dpo are needed")
    return _adds(evidence, WITH_DPO, "lidar", "vanilla")


def _adds(evidence: Evidence, claim: Claim, both: str, alone: str) -> Verdict:
    """``both`` against the cell of ``alone`` that shares its settings of the common part."""
    pair = evidence.typical(both), evidence.partner(both, alone)
    if pair[0] is None or pair[1] is None:
        why = f"cells of {both} and of {alone} with the same settings of the common part are needed"
        return missing(claim, why)
    reward = evidence.results.reward
    change = evidence.difference(pair[0], pair[1], f"score.{reward}")
    if change is None:
        return missing(claim, f"{reward} was not scored on common prompts")
    judged = evidence.difference(pair[0], pair[1], "geneval")
    measured = f"{reward} (guides) {text(change)}; GenEval {text(judged)}"
    return decide(claim, above(change), measured, change)
