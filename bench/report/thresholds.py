"""``--fail-if "cost>5%"``: conditions on a comparison that a continuous integration can act on.

A condition looks at the change from A to B on the prompts that both finished:

cost                  seconds relative to vanilla's on the same prompt, B over A, less 1
seconds, calls        of a prompt, B over A, less 1; calls are the denoiser's samples
geneval               B less A; 2% is 0.02
diversity, a score    B less A; 2% is a fiftieth of A's mean

It fails only where the whole 95% interval of the change, paired by prompt, lies beyond the
threshold; where the interval covers the threshold it is not decided.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from bench import stats
from bench.errors import BenchError, explained
from bench.report import comparison
from bench.report.comparison import Run
from bench.report.load import SIDES
from bench.report.summary import plain_draws
from methods.settings import one_of

SHAPE = re.compile(r"\s*([\w.]+)\s*([<>])\s*([-+]?\d*\.?\d+(?:e[-+]?\d+)?)\s*(%?)\s*", re.I)
RATIOS = {"seconds": "seconds.total", "calls": "calls.denoiser"}
Outcome = Literal["fails", "passes", "not decided"]


@dataclass(frozen=True)
class Condition:
    """``text`` as it was given: ``metric`` above or below ``threshold``."""

    text: str
    metric: str
    above: bool
    threshold: float
    percent: bool


@dataclass(frozen=True)
class Checked:
    """What became of a condition: the change with its interval, held against ``threshold``."""

    condition: str
    change: stats.Interval
    threshold: float
    outcome: Outcome

    def __str__(self) -> str:
        ends = f"[{self.change.low:+.4g}, {self.change.high:+.4g}]"
        interval = ends if self.change.known else "(no interval)"
        return (
            f"{self.condition}: {self.outcome}, the change is {self.change.value:+.4g} {interval}"
        )


def parse(text: str) -> Condition:
    """A condition as text. Raises BenchError."""
    found = SHAPE.fullmatch(text)
    if found is None:
        raise BenchError(
            f"--fail-if must be a metric, > or <, and a number, such as 'cost>5%' or "
            f"'geneval<-2%', got {text!r}"
        )
    metric, sign, number, percent = found.groups()
    threshold = float(number) / (100 if percent else 1)
    return Condition(text, metric, sign == ">", threshold, bool(percent))


def check(condition: Condition, a: Run, b: Run) -> Checked:
    """Hold a condition against two cells. Raises BenchError where they cannot tell of it."""
    one, two = comparison.rows(comparison.paired(a, b))
    if one.empty:
        raise BenchError(f"{a.folder} and {b.folder} have no finished prompt in common")
    scores = [c.removeprefix("score.") for c in comparison.judged(one, two)]
    timed = (one[SIDES].notna() & two[SIDES].notna()).all(axis=1)
    clocked = (one["seconds.total"].notna() & two["seconds.total"].notna()).any()
    known = [*(["cost"] if timed.any() else []), *(["seconds"] if clocked else []), "calls"]
    known += scores
    known += ["geneval"] if comparison.geneval(one, two) is not None else []
    with explained():
        one_of(f"--fail-if {condition.text!r} on {a.folder} and {b.folder}: metric",
               condition.metric, known)  # fmt: skip
    change = _change(condition.metric, one, two, timed)
    threshold = condition.threshold
    if condition.percent and condition.metric in scores:
        threshold *= abs(float(one[_column(one, condition.metric)].mean()))
    sign = 1 if condition.above else -1
    low, high = sorted([sign * change.low, sign * change.high])
    outcome: Outcome = "not decided"
    if change.known and low > sign * threshold:
        outcome = "fails"
    elif change.known and high <= sign * threshold:
        outcome = "passes"
    return Checked(condition.text, change, threshold, outcome)


def _column(frame: pd.DataFrame, metric: str) -> str:
    return metric if metric in frame else f"score.{metric}"


def _change(metric: str, one: pd.DataFrame, two: pd.DataFrame, timed: pd.Series) -> stats.Interval:
    """B against A, paired by prompt."""
    if metric == "geneval":
        found = comparison.geneval(one, two)
        assert found is not None
        return found
    if metric == "cost":
        vanilla, method = ([f[timed][side].to_numpy(float) for f in (one, two)] for side in SIDES)
        fast, slow = zip(method, vanilla, strict=True)
        return _less_one(stats.speedup(fast, slow, plain_draws(int(timed.sum()))))
    if metric in RATIOS:
        column = RATIOS[metric]
        known = one[column].notna() & two[column].notna()
        before, after = (frame[column][known].to_numpy(float) for frame in (one, two))
        return _less_one(stats.cost_ratio(after, before, plain_draws(len(after))))
    return comparison.change(_column(one, metric), one, two)


def _less_one(ratio: stats.Interval) -> stats.Interval:
    return stats.Interval(ratio.value - 1, ratio.low - 1, ratio.high - 1, ratio.prompts)
