"""How far a cell is from its method's own settings, those of conf/ on its backbone."""

from __future__ import annotations

from functools import cache

import pandas as pd

from bench.config.compose import cell_settings, groups
from bench.report.cells import texts
from bench.report.choice import spelled


def strays(cells: pd.DataFrame) -> pd.Series:
    """Of each cell's settings of its method, how many are not the method's own; 0 where the method
    or the backbone has no configuration."""
    counts = []
    for row in cells.itertuples():
        own = usual(str(row.method), str(row.backbone))
        pairs = [(row.settings[key], text) for key, text in own.items() if key in row.settings]
        counts.append(sum(spelled(a) != spelled(b) for a, b in pairs))
    return pd.Series(counts, cells.index, dtype=int)


@cache
def usual(method: str, backbone: str) -> dict[str, str]:
    """Dotted key -> value, as text, of a method's own settings; none where no file has it."""
    known = groups()
    if method not in known["method"] or backbone not in known["backbone"]:
        return {}
    settings = cell_settings([f"backbone={backbone}"], [f"method={method}"])
    return texts(settings["method"])
