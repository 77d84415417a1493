"""What a job returns to a sweeper that optimizes: GenEval or a score, of its one cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.errors import BenchError, explained
from methods.settings import one_of

if TYPE_CHECKING:
    from bench.config.cell import Cell

GENEVAL = "geneval"


def check_objective(name: str | None, cells: Sequence[Cell]) -> None:
    """Raise BenchError, before anything runs, where a job cannot return this objective."""
    if name is None:
        return
    if len(cells) != 1:
        raise BenchError(
            f"objective={name} is of one cell, and this job has {len(cells)}: name its method"
        )
    (cell,) = cells
    judged = [GENEVAL] if cell.judge["kind"] not in ("none", "truth") else []
    with explained():
        one_of("objective", name, [*judged, *cell.scores])


def objective(name: str | None, folders: Sequence[Path]) -> float | None:
    """The mean over prompts of the score ``name``, or GenEval's headline; None where none is asked
    for. Raises BenchError where no prompt was finished."""
    if name is None:
        return None
    from bench.stats.quality import headline
    from bench.store.folder import read_records

    (folder,) = folders
    records, _ = read_records(folder / "records.jsonl")
    good = [record for record in records.values() if record["error"] is None]
    if not good:
        raise BenchError(f"objective={name}: no prompt was finished in {folder}")
    if name != GENEVAL:
        return float(np.mean([np.mean(record["scores"][name]) for record in good]))
    correct = np.array([sum(record["geneval"]) for record in good], dtype=float)
    images = np.array([len(record["geneval"]) for record in good], dtype=float)
    return headline(correct, images, [record["tag"] for record in good])
