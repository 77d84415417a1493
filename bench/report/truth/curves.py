"""Which probes make a curve: over λ, over the dimension, over LiDAR's n and δ; and its slope."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


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


def _varied(probed: pd.DataFrame, free: str, fixed: str) -> pd.DataFrame:
    """Estimators probed at three or more values of ``free``, at the usual value of ``fixed``."""
    if probed.empty:
        return probed
    own = probed[probed[fixed] == probed[fixed].mode().iloc[0]]
    return own.groupby("label").filter(lambda group: group[free].nunique() > 2)
