"""What a job returns to a sweeper that optimizes: GenEval or a score, of its one cell."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

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
    from bench.store.frames import prompt_rows
    from bench.store.records import read_records

    (folder,) = folders
    prompts = prompt_rows(list(read_records(folder / "records.jsonl").finished.values()))
    if prompts.empty:
        raise BenchError(f"objective={name}: no prompt was finished in {folder}")
    if name != GENEVAL:
        return float(prompts[f"score.{name}"].mean())
    return headline(
        prompts.correct.to_numpy(float), prompts.images.to_numpy(float), prompts.tag.to_numpy()
    )
