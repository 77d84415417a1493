"""The paper's numbers for a folder's cells: beside the measured ones, in place of none of them."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from bench.report.lidar.published import published
from bench.report.load import Results

# What a published row may hold -> the heading of its column and its format.
SHOWN = {
    "geneval": ("paper's GenEval", "{:.3f}"),
    "imagereward": ("paper's ImageReward", "{:.3f}"),
    "clip": ("paper's CLIP", "{:.3f}"),
    "hps": ("paper's HPS", "{:.3f}"),
    "seconds": ("paper's s/prompt", "{:.3g}"),
    "ratio": ("paper's cost / vanilla", "{:.2f}"),
}


def columns(results: Results) -> pd.DataFrame:
    """The published figures of each cell, indexed by cell id; a column only where some cell has
    it, so no column at all for a backbone that the paper does not know."""
    rows = {
        cell: asdict(row)
        for cell, config in results.cells.config.items()
        if (row := published(config)) is not None
    }
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame = frame.reindex(index=results.cells.index)
    kept = [name for name in SHOWN if name in frame and frame[name].notna().any()]
    return frame[kept].astype(float)
