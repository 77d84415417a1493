"""From how many images a prompt does LiDAR's lookahead pay, against methods that prepare nothing?

In units of vanilla's seconds on the same prompt, the yardstick of every cost here, so that a
machine's drift between two cells cancels. Text encoding is part of every method's preparation and
is left out on both sides.
"""

from __future__ import annotations

import numpy as np

from bench import stats
from bench.report import choice, clock
from bench.report.load import SIDES, Results
from bench.report.summary import plain_draws

COLUMNS = (*SIDES, "seconds.prepare", "seconds.annotate", "images")


def break_evens(results: Results) -> dict[str, stats.BreakEven]:
    """Of LiDAR's typical cell against each method's without lookahead: cell id -> break-even."""
    ours = choice.base_of(results.cells, "lidar")
    found = {}
    for cell in choice.typicals(results.cells) if ours else []:
        if ours is None or cell == ours or not choice.same_target(results.cells, ours, cell):
            continue
        tags, values = results.shared([ours, cell], COLUMNS)
        noisy = {ours, cell} & {*clock.busy(results)}
        if noisy or tags.empty or results.of(cell)["calls.prepare.denoiser"].any():
            continue
        (own, rival), (each, theirs) = parts(*values)
        prepare, drawn = np.maximum(own - rival, 0), plain_draws(len(tags))
        found[cell] = stats.break_even(prepare, each, theirs, drawn)
    return found


def parts(
    vanilla: stats.Array,
    method: stats.Array,
    prepare: stats.Array,
    annotate: stats.Array,
    images: stats.Array,
) -> tuple[stats.Array, stats.Array]:
    """Cost to prepare a prompt and of an image after that, in vanilla's seconds."""
    fixed = prepare + annotate
    return fixed / vanilla, (method - fixed) / images / vanilla


def said(found: stats.BreakEven) -> str:
    """A break-even in words: "6 images [5, never]"."""
    low, high = ("never" if end is None else str(end) for end in (found.low, found.high))
    text = {None: "never", 1: "from the first image"}.get(found.images, f"{found.images} images")
    return f"{text} [{low}, {high}]" if found.known else f"{text} [–]"
