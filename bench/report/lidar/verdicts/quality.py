"""Claims 5 to 7: whose reward rises at whose expense, what collapses, and what adds up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from bench import stats
from bench.report import choice
from bench.report.controls import compare, said
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
    chance,
    decide,
    every,
    missing,
    opposite,
    text,
    together,
)
from bench.report.lidar.verdicts.costs import at_equal_cost, costs
from bench.report.summary import FEWEST, where_right
from bench.report.sweeps import by_cost

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


def _spelled(evidence: Evidence, cell: str | None, found: dict[str, stats.Interval]) -> str:
    vanilla = evidence.results.references[str(cell)]
    told = [f"{head} {text(value)}" for head, value in found.items()]
    return "; ".join([*told, costs(evidence, str(cell), vanilla)])


def hacking(evidence: Evidence) -> Verdict:
    cell = evidence.typical("ug")
    found = changes(evidence, cell) if cell else {}
    if len(found) < 2 or not next(iter(found)).endswith(GUIDES):
        return missing(HACKING, "judged cells of ug and of vanilla, of one reward, are needed")
    own, *others = (above(value) for value in found.values())
    fell = cell is not None and any(
        above(value) == FAILS for value in corrected(evidence, cell, list(found)[1:])
    )
    first, *rest = (chance(value) for value in found.values())
    outcome: Outcome = UNKNOWN
    p = 1.0
    if own == HOLDS and fell and HOLDS not in others:
        fallen = [one for one, other in zip(rest, others, strict=True) if other == FAILS]
        outcome, p = HOLDS, max(first, len(rest) * min(fallen))
    elif own == FAILS or (HOLDS in others and FAILS not in others):
        risen = [one for one, other in zip(rest, others, strict=True) if other == HOLDS]
        outcome, p = FAILS, len(found) * min([first] * (own == FAILS) + risen)
    verdict = decide(
        HACKING, outcome, _spelled(evidence, cell, found), min(p, 1.0), *found.values()
    )
    if outcome == UNKNOWN and own == HOLDS and FAILS in others:
        both = HOLDS in others
        why = "some judges rose and some fell" if both else "no fall at the corrected level"
        return replace(verdict, reason=why)
    return verdict


def lifts(evidence: Evidence) -> Verdict:
    cell = evidence.typical("lidar")
    found = changes(evidence, cell) if cell else {}
    if len(found) < 2 or not next(iter(found)).endswith(GUIDES):
        return missing(LIFTS, "judged cells of lidar and of vanilla, of one reward, are needed")
    outcome = every([above(value) for value in found.values()])
    p = together(outcome, [chance(value) for value in found.values()])
    return decide(LIFTS, outcome, _spelled(evidence, cell, found), p, *found.values())


def collapse(evidence: Evidence) -> Verdict:
    cells = evidence.results.cells
    own = cells[(cells.method == "fk_smc") & choice.enough(cells)]
    four = [str(cell) for cell, row in own.iterrows() if _particles(row) == "4"]
    if not four:
        return missing(COLLAPSE, "a cell of fk_smc with four particles is needed")
    typical = evidence.typical("fk_smc")
    return _kept(evidence, COLLAPSE, typical if typical in four else four[0], below=True)


def _particles(row: pd.Series) -> str:
    """Of a cell of SMC; as many as images where nothing is set."""
    particles = str(row.settings.get("steer.smc.particles", "None"))
    return str(row.images) if particles == "None" else particles


def keeps(evidence: Evidence) -> Verdict:
    cell = evidence.typical("lidar")
    if cell is None:
        return missing(KEEPS, "a cell of lidar is needed")
    return _kept(evidence, KEEPS, cell)


def _kept(evidence: Evidence, claim: Claim, cell: str, below: bool = False) -> Verdict:
    """Whether diversity is above (or below) the claim's share of vanilla's, where both got every
    image right: a wrong image raises diversity too."""
    vanilla, share = evidence.results.references.get(cell), claim.threshold
    if vanilla is None:
        return missing(claim, "a vanilla cell is needed")
    rest, own, base = where_right(evidence.results, cell, vanilla, share)
    if rest.prompts < FEWEST:
        why = f"diversity on {FEWEST} prompts whose images are all right in both is needed"
        return missing(claim, f"{why}, there are {rest.prompts}")
    outcome = opposite(above(rest)) if below else above(rest)
    measured = (
        f"{own:.3f} on the {rest.prompts} prompts whose images are all right in both, "
        f"{own / base:.0%} of vanilla's {base:.3f}; less {share:g} of vanilla's: {text(rest)}"
    )
    distinct = evidence.difference(cell, vanilla, "distinct_share")
    if distinct is not None:
        measured += f"; images that are right and no copies, less vanilla's: {text(distinct)}"
    return decide(claim, outcome, measured, chance(rest, strata=1), rest)


def with_smc(evidence: Evidence) -> Verdict:
    return _adds(evidence, WITH_SMC, "lidar_smc", "fk_smc")


def with_bon(evidence: Evidence) -> Verdict:
    return _adds(evidence, WITH_BON, "lidar_bon", "best_of_n")


def with_dpo(evidence: Evidence) -> Verdict:
    cell = evidence.typical("lidar")
    vanilla = evidence.results.references.get(str(cell))
    if evidence.results.cells.backbone.iloc[0] != "sd15_dpo" or cell is None or vanilla is None:
        return missing(WITH_DPO, "cells of lidar and of vanilla with backbone=sd15_dpo are needed")
    reward = evidence.results.reward
    change = evidence.difference(cell, vanilla, f"score.{reward}")
    if change is None:
        return missing(WITH_DPO, f"{reward} was not scored on common prompts")
    judged = evidence.difference(cell, vanilla, "geneval")
    measured = f"{reward} (guides) {text(change)}; GenEval {text(judged)}"
    measured += f"; {costs(evidence, cell, vanilla)}"
    return decide(WITH_DPO, above(change), measured, chance(change), change)


def _adds(evidence: Evidence, claim: Claim, both: str, alone: str) -> Verdict:
    """``both`` against those cells of ``alone`` that share its settings of the common part, at the
    cost of ``both``."""
    results, cell = evidence.results, evidence.typical(both)
    group = by_cost(results, partners(results.cells, cell, alone)) if cell else []
    if cell is None or not group:
        why = f"cells of {both} and of {alone} with the same settings of the common part are needed"
        return missing(claim, why)
    column = f"score.{results.reward}"
    found = compare(results, cell, alone, group, (column,))
    judged = compare(results, cell, alone, group)
    measured = f"{results.reward} (guides) {said(found)}"
    if judged.difference is not None and results.quality == "geneval":
        measured += f"; GenEval {said(judged)}"
    return at_equal_cost(claim, found, alone, measured)


def partners(cells: pd.DataFrame, cell: str, alone: str) -> list[str]:
    """The cells of ``alone`` equal to ``cell`` in every setting that both have, but for budgets."""
    own = cells[(cells.method == alone) & choice.enough(cells)]
    return [str(c) for c, row in own.iterrows() if choice.agree(row, cells.loc[cell])]
