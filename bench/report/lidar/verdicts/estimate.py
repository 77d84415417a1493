"""Claims 2 and 4: does LiDAR's estimate improve as the theory says, and does Taylor's fail?"""

from __future__ import annotations

import pandas as pd

from bench.report import choice
from bench.report.evidence import Evidence
from bench.report.lidar.verdicts.base import (
    CLAIMS,
    FAILS,
    HOLDS,
    Claim,
    Verdict,
    above,
    chance,
    decide,
    missing,
    text,
)
from bench.report.lidar.verdicts.costs import costs
from bench.report.truth.curves import by_scale, lookahead_errors, slope

SEE = "on Gaussian mixtures, results/measured/ground_truth"
NEEDED = "needs exact values: run experiment=ground_truth (its committed report is not there)"
MORE_SAMPLES = CLAIMS["2a"]
MORE_STEPS = CLAIMS["2b"]
ROOT_N = CLAIMS["2c"]
ROOT_DELTA = CLAIMS["2d"]
ABSOLUTE = CLAIMS["4a"]
RELATIVE = CLAIMS["4b"]


def more_samples(evidence: Evidence) -> Verdict:
    return _grows(evidence, MORE_SAMPLES, "efr.lookahead.n", "n")


def more_steps(evidence: Evidence) -> Verdict:
    return _grows(evidence, MORE_STEPS, "efr.lookahead.steps", "δ")


def _grows(evidence: Evidence, claim: Claim, key: str, name: str) -> Verdict:
    cells = choice.varied(evidence.results.cells, "lidar", key)
    if cells.empty:
        return missing(claim, f"cells of lidar at two or more method.{key} are needed")
    first, last = str(cells.index[0]), str(cells.index[-1])
    change = evidence.difference(last, first, "geneval")
    if change is None:
        return missing(claim, "GenEval was not judged")
    reward = evidence.results.reward
    own = evidence.difference(last, first, f"score.{reward}")
    measured = (
        f"{name} = {cells.iloc[0]:g} to {cells.iloc[-1]:g}: GenEval {text(change)}, "
        f"{reward} (guides) {text(own)}; {costs(evidence, last, first)}"
    )
    return decide(claim, above(change), measured, chance(change), change)


def root_n(evidence: Evidence) -> Verdict:
    by_n, _ = _errors(evidence)
    if by_n.empty:
        return missing(ROOT_N, NEEDED)
    power = slope(by_n.n, by_n["shift"])
    measured = f"n^{power:.2f} from n = {by_n.n.min()} to {by_n.n.max()} ({SEE})"
    return Verdict(ROOT_N, HOLDS if abs(power + 0.5) <= ROOT_N.threshold else FAILS, measured)


def root_delta(evidence: Evidence) -> Verdict:
    _, by_steps = _errors(evidence)
    if by_steps.empty:
        return missing(ROOT_DELTA, NEEDED)
    power = slope(by_steps.steps, by_steps["shift"])
    ends = by_steps.steps.min(), by_steps.steps.max()
    measured = f"δ^{power:.2f} from δ = {ends[0]} to {ends[1]} ({SEE})"
    return Verdict(ROOT_DELTA, HOLDS if power <= -0.5 + ROOT_DELTA.threshold else FAILS, measured)


def absolute(evidence: Evidence) -> Verdict:
    return _with_scale(evidence, ABSOLUTE, "value")


def relative(evidence: Evidence) -> Verdict:
    return _with_scale(evidence, RELATIVE, "shift")


def _with_scale(evidence: Evidence, claim: Claim, error: str) -> Verdict:
    """Whether this ``error`` of Tweedie's estimate grows with λ, and that of LiDAR's does not."""
    if evidence.estimators is None:
        return missing(claim, NEEDED)
    frame = by_scale(evidence.estimators)
    factors, said = {}, []
    for name, label in (("tweedie", "Tweedie"), ("lookahead", "LiDAR")):
        own = frame[(frame.estimator == name) & (frame.perturbations == 0)].sort_values("scale")
        if len(own) < 2:
            return missing(claim, NEEDED)
        first, last = own[error].iloc[0], own[error].iloc[-1]
        factors[name] = last / first
        said.append(
            f"{label}'s {first:.2g} to {last:.2g}, {factors[name]:.3g}× "
            f"(as λ^{slope(own.scale, own[error]):.1f})"
        )
    scales = f"λ = {frame.scale.min():g} to {frame.scale.max():g}"
    holds = factors["tweedie"] > claim.threshold >= factors["lookahead"]
    return Verdict(claim, HOLDS if holds else FAILS, f"{scales}: {'; '.join(said)} ({SEE})")


def _errors(evidence: Evidence) -> tuple[pd.DataFrame, pd.DataFrame]:
    if evidence.estimators is None:
        return pd.DataFrame(), pd.DataFrame()
    return lookahead_errors(evidence.estimators)
