"""LiDAR's table 4: UDLM on QM9, rewarded for rings, over n lookahead samples."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

THEIRS = ("token", 1.0, "[0.0, 1.0]")  # rule, s, interval


def published() -> pd.DataFrame:
    """num_novel, novel_ring_count and total_ring_count by n; n = 0 is vanilla."""
    return pd.read_csv(Path(__file__).with_name("table4.csv")).set_index("n")


def cited(row: pd.Series, published: pd.DataFrame) -> str:
    """What the paper has for vanilla, or for its own rule at the same n and s = 1."""
    n = (
        0
        if row.method == "vanilla"
        else row.n
        if (row.rule, row.scale, row.interval) == THEIRS
        else None
    )
    if n is None or n not in published.index:
        return "–"
    found = published.loc[n]
    return f"{found.num_novel:.0f}, {found.novel_ring_count:.2f}, {found.total_ring_count:.2f}"
