"""What each cell of an image shows: the dense labels of the scorers' auxiliary losses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.geneval.prompts import CLASSES, COLORS
from training.scenes import SIZE, Placed

SIDE = 8  # cells along an edge
NO_CLASS, NO_COLOR = len(CLASSES), len(COLORS)


def cells(objects: Sequence[Placed]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Class ids, color ids and centre marks (0 or 1), each (64,), of the 8 x 8 image cells.

    A cell belongs to the object whose box covers the cell's middle; NO_CLASS and NO_COLOR where
    there is none.
    """
    names = np.full((SIDE, SIDE), NO_CLASS)
    colors = np.full((SIDE, SIDE), NO_COLOR)
    centers = np.zeros((SIDE, SIDE), dtype=np.float32)
    size = SIZE // SIDE
    for thing in objects:
        x0, y0, x1, y1 = ((v + size // 2 - 1) // size for v in thing.box)
        names[y0:y1, x0:x1] = CLASSES.index(thing.name)
        colors[y0:y1, x0:x1] = COLORS.index(thing.color)
        x, y = (thing.box[0] + thing.box[2]) // 2, (thing.box[1] + thing.box[3]) // 2
        centers[y // size, x // size] = 1
    return names.ravel(), colors.ravel(), centers.ravel()
