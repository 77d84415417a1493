"""From how many images a prompt does LiDAR's lookahead pay, against methods that prepare nothing?

In units of vanilla's seconds on the same prompt, the yardstick of every cost here, so that a
machine's drift between two cells cancels. Text encoding is part of every method's preparation and
is left out on both sides.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench import stats
from bench.report import choice
from bench.report.load import Results
from bench.report.summary import draws
from bench.report.sweeps import timed

LIDAR = "lidar"


def break_evens(results: Results) -> dict[str, stats.BreakEven]:
    """Of LiDAR's typical cell against each method's without lookahead: cell id -> break-even."""
    ours = choice.typical(results.cells, LIDAR)
    if ours is None:
        return {}
    found = {}
    for cell in choice.typicals(results.cells):
        if not choice.same_target(results.cells, ours, cell):
            continue
        if cell == ours or results.of(cell)["calls.prepare.denoiser"].any():
            continue
        own, rival = timed(results, [ours, cell])
        if not own.empty:
            mine, theirs = parts(own), parts(rival)
            prepare = np.maximum(mine[0] - theirs[0], 0)
            drawn = draws(own, stratified=False)
            found[cell] = stats.break_even(prepare, mine[1], theirs[1], drawn)
    return found


def parts(frame: pd.DataFrame) -> tuple[stats.Array, stats.Array]:
    """Cost to prepare a prompt and of an image after that, (n,) each, in vanilla's seconds."""
    vanilla = frame["yardstick.vanilla"].to_numpy(float)
    prepare = (frame["seconds.prepare"] + frame["seconds.annotate"]).to_numpy(float)
    rest = frame["yardstick.method"].to_numpy(float) - prepare
    return prepare / vanilla, rest / frame.images.to_numpy(float) / vanilla


def said(found: stats.BreakEven) -> str:
    """A break-even in words: "6 images [5, never]"."""

    def end(value: int | None) -> str:
        return "never" if value is None else str(value)

    if found.always:
        text = "from the first image"
    else:
        text = "never" if found.never else f"{found.images} images"
    return f"{text} [{end(found.low)}, {end(found.high)}]" if found.known else f"{text} [–]"
