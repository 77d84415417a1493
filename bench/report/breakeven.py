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
from bench.report.sweeps import shared


def break_evens(results: Results) -> dict[str, stats.BreakEven]:
    """Of LiDAR's typical cell against each method's without lookahead: cell id -> break-even."""
    ours = choice.base_of(results.cells, "lidar")
    found = {}
    for cell in choice.typicals(results.cells) if ours else []:
        if ours is None or cell == ours or not choice.same_target(results.cells, ours, cell):
            continue
        own, rival = shared(results.timed, [ours, cell])
        if own.empty or results.of(cell)["calls.prepare.denoiser"].any():
            continue
        mine, theirs = parts(own), parts(rival)
        prepare = np.maximum(mine[0] - theirs[0], 0)
        found[cell] = stats.break_even(prepare, mine[1], theirs[1], draws(own, stratified=False))
    return found


def parts(frame: pd.DataFrame) -> tuple[stats.Array, stats.Array]:
    """Cost to prepare a prompt and of an image after that, (n,) each, in vanilla's seconds."""
    vanilla = frame["yardstick.vanilla"].to_numpy(float)
    prepare = (frame["seconds.prepare"] + frame["seconds.annotate"]).to_numpy(float)
    rest = frame["yardstick.method"].to_numpy(float) - prepare
    return prepare / vanilla, rest / frame.images.to_numpy(float) / vanilla


def said(found: stats.BreakEven) -> str:
    """A break-even in words: "6 images [5, never]"."""
    low, high = ("never" if end is None else str(end) for end in (found.low, found.high))
    text = {None: "never", 1: "from the first image"}.get(found.images, f"{found.images} images")
    return f"{text} [{low}, {high}]" if found.known else f"{text} [–]"
