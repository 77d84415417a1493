"""A results folder of pictures, checked: what every part of the report reads.

Whatever would make a comparison meaningless (two guiding rewards, one index with two prompts) is an
error that names the folder; whatever is missing is a note.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import stats
from bench.report import choice
from bench.store.cells import TARGET
from bench.store.frames import Frames, read

UNTESTED = "GenEval by a detector that has proved nothing (random or untested weights): no score"
# Scores that say nothing of a picture's quality or of its prompt.
NOT_QUALITY = ("jpeg",)
SIDES = ["yardstick.vanilla", "yardstick.method"]


@dataclass(frozen=True)
class Results(Frames):
    """`Frames`, validated; ``cells`` has the columns of `choice.prepare` too. ``scores``: names of
    the rewards, the guiding one first."""

    reward: str
    scores: tuple[str, ...]

    @cached_property
    def quality(self) -> str:
        """What methods are compared in: "geneval", or "score.<reward>" where nothing judged."""
        return "geneval" if self.prompts.correct.notna().any() else f"score.{self.reward}"

    @property
    def judges(self) -> tuple[str, ...]:
        """Scores that did not guide and that do say something of quality."""
        kinds = self.cells.config.iloc[0].get("rewards") or {}
        others = {name: (kinds.get(name) or {}).get("kind", name) for name in self.scores[1:]}
        return tuple(name for name, kind in others.items() if kind not in NOT_QUALITY)

    @property
    def axis(self) -> str:
        """The quality in words."""
        return "GenEval" if self.quality == "geneval" else f"{self.reward} (guides)"

    @property
    def marks(self) -> tuple[str, ...]:
        """The columns of ``prompts`` that the quality is computed from."""
        return ("correct", "images") if self.quality == "geneval" else (self.quality,)

    @cached_property
    def memo(self) -> dict[Any, Any]:
        """What was worked out once: columns (prompts, cells), and estimates of sweeps."""
        return {}

    def shared(
        self, cells: Sequence[str], columns: Sequence[str]
    ) -> tuple[pd.Series, list[stats.Array]]:
        """Columns of ``prompts``, (cells, n) each, over those prompts for which all of the cells
        have all of them; and the prompts' tags, (n,), by index."""
        for column in {*columns} - {*self.memo}:
            wide = self.prompts.pivot(index="index", columns="cell", values=column)
            wide = wide.reindex(columns=self.cells.index).sort_index()
            self.memo[column] = wide.to_numpy(float)
        chosen = self.cells.index.get_indexer(list(cells))
        tables = [self.memo[column][:, chosen] for column in columns]
        known = ~np.logical_or.reduce([np.isnan(table).any(axis=1) for table in tables])
        return self.tags[known], [table[known].T for table in tables]

    def timed(self, cell: str) -> pd.DataFrame:
        """The cell's prompts on which vanilla was timed beside the method."""
        own = self.of(cell)
        return own[own[SIDES[0]].notna() & own[SIDES[1]].notna()]

    @cached_property
    def tags(self) -> pd.Series:
        """The tag of each prompt, by index."""
        return self.prompts.drop_duplicates("index").set_index("index").sort_index().tag

    @cached_property
    def references(self) -> dict[str, str]:
        """Each cell's vanilla cell, that it is compared with: cell id -> cell id.

        A vanilla cell's is itself; another's the one that differs from it in the fewest settings
        outside its method (`choice.apart`), solver, steps and seed before all others; of equals the
        most complete, then the one most like all the other cells. Empty without vanilla.
        """
        cells = self.cells
        vanilla = [str(c) for c in cells.index[(cells.method == "vanilla") & (cells.done > 0)]]
        rows = {str(cell): row for cell, row in cells.iterrows()}
        usual = {v: int((cells[TARGET] == cells.loc[v, TARGET]).sum().sum()) for v in vanilla}

        def near(cell: str, v: str) -> tuple[int, ...]:
            keys = choice.apart(rows[cell], rows[v])
            return -len(keys & set(TARGET)), -len(keys), int(rows[v].done), usual[v]

        return {
            cell: cell if cell in usual else max(vanilla, key=lambda v: near(cell, v))
            for cell in rows
            if vanilla
        }


def load(folder: Path, only: Collection[str] | None = None) -> Results:
    """Read the cells below ``folder``/cells, or ``only`` those of these names.

    Raises ValueError where there is none, none with a finished prompt, or they make no sense.
    """
    frames = read(folder, only)
    cells, prompts = frames.cells, frames.prompts
    reward = _one(cells, "reward", folder)
    _one(cells, "backbone", folder)
    _one(cells.fillna({"judge": "unknown"}), "judge", folder)
    if prompts.empty:
        raise ValueError(f"{folder}: {len(cells)} cells, but no prompt is finished in any of them")
    kinds = prompts.groupby("index")[["prompt", "tag"]].nunique().max(axis=1)
    if (kinds > 1).any():
        raise ValueError(f"{folder}: prompt {kinds.idxmax()} is not the same text in every cell")
    untested = cells.index[cells.untested]
    of_prompts = [
        "correct",
        "strict",
        "distinct",
        "distinct_share",
        "clutter",
        "doubt",
        "diversity",
    ]
    of_images = ["correct", "strict", "doubt", "extras", "extras.asked"]
    for frame, columns in ((prompts, of_prompts), (frames.images, of_images)):
        frame[columns] = frame[columns].mask(frame.cell.isin(untested))
    choice.prepare(cells)
    found = [c.removeprefix("score.") for c in prompts if c.startswith("score.")]
    notes = [*frames.notes, *_gaps(cells, prompts, reward, sorted(found))]
    if reward not in found:
        prompts[f"score.{reward}"] = np.nan
    scores = (reward, *sorted(set(found) - {reward}))
    own = {f.name: getattr(frames, f.name) for f in fields(frames)}
    return Results(**own | {"notes": tuple(notes)}, reward=reward, scores=scores)


def _one(cells: pd.DataFrame, column: str, folder: Path) -> str:
    """The only value of ``column``. Raises ValueError where there is none, or more than one."""
    found = sorted(set(cells[column].dropna()))
    if len(found) != 1:
        raise ValueError(
            f"{folder} holds cells of {len(found)} different values of {column} ({found}); "
            "a report compares methods on one backbone with one guiding reward"
        )
    return str(found[0])


def _gaps(
    cells: pd.DataFrame, prompts: pd.DataFrame, reward: str, scores: list[str]
) -> Iterable[str]:
    """What was not measured, or not alike in all cells."""
    label = cells.label
    if prompts.correct.isna().all():
        what = "scores and costs" if scores else "costs alone"
        yield f"no GenEval: {what} (judge=none, or prompts that it cannot judge)"
    if scores and reward not in scores:
        yield f"no record has a score of the guiding reward, {reward}: add it to scores"
    yield from (f"{row.label}: {UNTESTED}" for row in cells.itertuples() if row.untested)
    every = set(prompts.tag)
    for cell, own in prompts.groupby("cell").tag:
        if lacking := sorted(every - set(own)):
            yield f"{label[cell]}: no prompt of {', '.join(lacking)}; its means leave them out"
    for name in scores:
        missing = prompts[prompts[f"score.{name}"].isna()].groupby("cell").size()
        for cell, count in missing.items():
            yield f"{label[cell]}: no {name} score on {count} of its prompts"
    sizes = prompts.groupby("cell").batch.unique()
    if len({size for own in sizes for size in own if size}) > 1:
        told = "; ".join(f"{label[c]} {', '.join(sorted(own))}" for c, own in sizes.items())
        yield (
            "not all prompts were sampled in batches of one size (memory ran out, or the setting "
            f"differs): {told}"
        )
    if cells.code.nunique() > 1:
        yield "the cells were made by different versions of the code (see provenance)"
