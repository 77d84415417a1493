"""``bench.load(FOLDER)``: a results folder as one data frame, a row an image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.store.config import leaves
from bench.store.frames import read
from bench.store.schema import KINDS

OF_A_CELL = ("method", "backbone", "solver", "steps", "seed", "images", "reward", "rewards")


def load(folder: str | Path) -> pd.DataFrame:
    """Every image of a results folder (or of one cell's folder), one row each.

    Columns:

    cell, method, label     the cell's id, its method, and a label that tells it from its namesakes
    set.<key>               settings that are not the same in all cells, by dotted key, such as
                            set.method.efr.lookahead.n; None where a cell has no such setting
    index, prompt, tag      the prompt's place in its list, its text, its GenEval task
    field.<name>            other entries of the prompt's metadata
    image, path             the image's number within its prompt, and its file
    geneval, reasons        whether it is correct, and what was wrong; None where nothing judged
    strict                  whether it is correct by sure detections alone and without extras
    doubt                   how many of its detections the detector expects to be wrong about
    extras, extras.asked    how many detections there are beyond the objects asked for, and how many
                            of these are of the classes asked for; None without a detector
    score.<name>            each reward's value
    diversity, distinct     of the prompt's images; how many of them are right and no copies
    seconds, calls.<kind>   of the prompt: seconds in all (NaN where lookahead samples of another
                            cell were reused), and samples of denoiser, decode, reward and of their
                            backward passes
    flops                   of the prompt: floating-point operations of the networks; NaN where they
                            were not counted

    Prompts that failed have no image, so no row. On the mixture a row is the file of a prompt's
    points. Raises BenchError where there is no cell, and for a file that is damaged or was changed.

    >>> import bench
    >>> images = bench.load("results/demo")
    >>> images.groupby("label")["geneval"].mean()
    """
    frames = read(Path(folder))
    cells = frames.cells
    settings = [
        leaves({key: config[key] for key in OF_A_CELL if key in config}) for config in cells.config
    ]
    table = pd.DataFrame(settings, index=cells.index, dtype=object)
    varied = [key for key in table if table[key].astype(str).nunique() > 1]
    known = cells[["method", "label", "path"]].rename(columns={"path": "folder"})
    known = known.join(table[varied].add_prefix("set."))
    calls = [f"calls.{kind}" for kind in KINDS]
    fields = [column for column in frames.prompts if column.startswith("field.")]
    judged = ["diversity", "distinct"]
    prompts = frames.prompts[
        ["cell", "index", "prompt", "tag", *fields, *judged, "seconds.total", "flops", *calls]
    ]
    images = frames.images.rename(columns={"position": "image", "correct": "geneval"})
    found = images.merge(prompts, on=["cell", "index"]).join(known, on="cell")
    found["path"] = found.folder.astype(str) + "/images/" + found["path"]
    found = found.rename(columns={"seconds.total": "seconds"})
    scores = [column for column in images if column.startswith("score.")]
    own = ["cell", "method", "label", *(f"set.{key}" for key in varied), "index", "prompt", "tag"]
    image = [
        "image",
        "path",
        "geneval",
        "reasons",
        "strict",
        "doubt",
        "extras",
        "extras.asked",
        *scores,
        *judged,
        "seconds",
        "flops",
        *calls,
    ]
    return found[[*own, *fields, *image]]
