"""Which probes make a curve: over λ, over the dimension, over LiDAR's n and δ; its mean and power.

All but `averaged` and what reads its frame take one row a setting, or one a setting and problem.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bench import stats
from bench.report.summary import draws
from bench.report.truth.read import NAMED, OTHERS

ERRORS = ("value", "shift")


def averaged(probed: pd.DataFrame) -> pd.DataFrame:
    """One row an estimator setting, λ and size: geometric means of its errors over problems, with
    the ends of their intervals, ``.low`` and ``.high``."""
    if probed.empty:
        return probed
    keys = [*NAMED, *(key for key in OTHERS if key in probed), "label"]
    found = []
    for names, own in probed.groupby(keys, sort=True):
        row: dict[str, Any] = dict(zip(keys, names, strict=True)) | {"problems": len(own)}
        drawn = draws(own.tag)
        for error in ERRORS:
            mean = stats.geometric(own[error].to_numpy(float), drawn)
            row |= {error: mean.value, f"{error}.low": mean.low, f"{error}.high": mean.high}
        found.append(row)
    return pd.DataFrame(found)


def by_scale(probed: pd.DataFrame) -> pd.DataFrame:
    """The probes over λ."""
    return _varied(probed, "scale", "dimension")


def by_dimension(probed: pd.DataFrame) -> pd.DataFrame:
    """The probes over the dimension D."""
    return _varied(probed, "dimension", "scale")


def lookahead_errors(probed: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lookahead probes over n at the settings with most n, and over δ likewise."""
    own = probed[probed.estimator == "lookahead"] if not probed.empty else probed
    if own.empty:
        return own, own

    def longest(fixed: list[str], free: str) -> pd.DataFrame:
        groups = [g for _, g in own.groupby([*fixed, "dimension"]) if g[free].nunique() > 2]
        return max(groups, key=len).sort_values(free) if groups else own.head(0)

    return longest(["solver", "steps", "scale"], "n"), longest(["solver", "n", "scale"], "steps")


def slope(x: Any, y: Any) -> float:
    """Of the least-squares line through log y over log x."""
    return float(np.polyfit(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)), 1)[0])


def power(probed: pd.DataFrame, x: str, y: str) -> stats.Interval:
    """The exponent of error ``y`` over ``x``: the mean over problems of each one's `slope`, which
    is that of the geometric means."""
    whole = _whole(probed, x)
    slopes = [slope(own[x], own[y]) for _, own in whole]
    return stats.mean(np.array(slopes), draws([own.tag.iloc[0] for _, own in whole]))


def growth(probed: pd.DataFrame, x: str, y: str) -> stats.Interval:
    """The factor by which ``y`` changes from the lowest ``x`` to the highest: its geometric mean
    over problems."""
    whole = _whole(probed, x)
    ends = [own.sort_values(x)[y] for _, own in whole]
    factors = np.array([own.iloc[-1] / own.iloc[0] for own in ends])
    return stats.geometric(factors, draws([own.tag.iloc[0] for _, own in whole]))


def _whole(probed: pd.DataFrame, x: str) -> list[tuple[Any, pd.DataFrame]]:
    """The problems that were probed at every ``x``."""
    groups = list(probed.groupby("problem"))
    most = max(own[x].nunique() for _, own in groups)
    return [(name, own) for name, own in groups if own[x].nunique() == most]


def _varied(probed: pd.DataFrame, free: str, fixed: str) -> pd.DataFrame:
    """Estimators probed at three or more values of ``free``, at the usual value of ``fixed``."""
    if probed.empty:
        return probed
    own = probed[probed[fixed] == probed[fixed].mode().iloc[0]]
    return own.groupby("label").filter(lambda group: group[free].nunique() > 2)
