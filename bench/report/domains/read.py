"""A results folder -> its domains, each checked and with its prompts paired."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import stats
from bench.report import choice
from bench.report.load import Results, load
from bench.report.summary import draws
from bench.store.cells import TARGET, read_cells
from bench.store.config import SHARED, leaves
from bench.store.records import read_records

# Settings of a backbone that make a domain of their own, and how its name tells them.
OF_DOMAIN = {"path": "{}", "dimension": "D = {}"}
# Not the target solver: populations need one with noise, and FLUX's kind has none by default.
ALIKE = (*SHARED, *(key for key in TARGET if key != "solver"), "images", "target_scale")
FLOOR = "_floor"


@dataclass(frozen=True)
class Domain:
    """``cells`` with `choice.enough` prompts, over the prompts that all of them finished, whose
    ``tags`` are (n,). ``gain``: of each cell, guiding reward less vanilla's, in ``unit``s: the
    standard deviation of vanilla's images about their prompt's mean. ``units`` (draws,): the unit
    in every draw. ``calls``: of the denoiser, forward and backward, over vanilla's."""

    name: str
    results: Results
    vanilla: str
    cells: tuple[str, ...]
    tags: pd.Series
    gain: stats.Estimates
    unit: float
    units: stats.Array
    calls: stats.Array

    @property
    def draws(self) -> stats.Draws:
        return draws(self.tags)

    def of(self, cell: str, column: str) -> stats.Array:
        """A column of ``prompts`` over the domain's prompts, (n,)."""
        found: stats.Array = self.results.of(cell)[column].loc[self.tags.index].to_numpy(float)
        return found

    def in_units(self, values: stats.Array, level: float = stats.LEVEL) -> stats.Interval:
        """The mean over prompts of ``values`` (n,), rewards, in units."""
        mean = stats.means(values[None], self.draws)
        samples = mean.samples[:, 0] / self.units
        return stats.student(mean.value[0] / self.unit, samples, self.draws, level=level)

    def gain_of(self, cell: str, level: float = stats.LEVEL) -> stats.Interval:
        """The gain of a cell with its interval."""
        place = self.cells.index(cell)
        samples = self.gain.samples[:, place]
        return stats.student(self.gain.value[place], samples, self.draws, level=level)


def read(folder: Path, only: Collection[str] | None = None) -> tuple[list[Domain], list[str]]:
    """The folder's domains, and of those left out the names with the reason.

    Raises ValueError where cells of a domain were not made alike, and where no domain is left.
    """
    cells = read_cells(folder, only)
    flat = {str(cell): leaves(config) for cell, config in cells.config.items()}
    members: dict[str, list[str]] = {}
    for cell, settings in flat.items():
        members.setdefault(name_of(settings), []).append(cell)
    found, left_out = [], []
    for name in sorted(members, key=_order):
        check_alike(folder, name, [flat[cell] for cell in members[name]])
        results = with_truth(load(folder, [cells.path[cell].name for cell in members[name]]))
        made = pair(name, results)
        if isinstance(made, Domain):
            found.append(made)
        else:
            left_out.append(f"{name}: left out, {made}")
    if not found:
        raise ValueError(f"{folder}: no domain can be compared: {'; '.join(left_out)}")
    return found, left_out


def name_of(settings: Mapping[str, Any]) -> str:
    """The domain of a cell with these settings, by dotted key."""
    known = {key: settings.get(f"backbone.{key}") for key in OF_DOMAIN}
    told = [OF_DOMAIN[key].format(value) for key, value in known.items() if value is not None]
    return ", ".join([str(settings["backbone.name"]), *told])


def check_alike(folder: Path, name: str, cells: Collection[Mapping[str, Any]]) -> None:
    """Raise ValueError unless all cells of a domain have the target and the prompts in common."""
    for key in ALIKE:
        values = sorted({str(cell.get(key)) for cell in cells})
        if len(values) > 1:
            raise ValueError(
                f"{folder}: the cells of {name} differ in {key} ({', '.join(values)}); a report on "
                "several domains pairs the prompts of each, so let one value stay, by --only"
            )


def with_truth(results: Results) -> Results:
    """With the columns ``distance`` (to the exact target over its floor) and ``overshoot`` (reward
    less the target's), where the target is known."""
    prompts, reward = results.prompts, results.reward
    floors = [c for c in prompts if c.startswith("distance.") and c.endswith(FLOOR)]
    if floors:
        ratio = prompts[floors[0].removesuffix(FLOOR)] / prompts[floors[0]]
        prompts = prompts.assign(distance=ratio.astype(float))
    if f"target.{reward}" in prompts:
        gap = prompts[f"score.{reward}"] - prompts[f"target.{reward}"]
        prompts = prompts.assign(overshoot=gap.astype(float))
    return replace(results, prompts=prompts)


def pair(name: str, results: Results) -> Domain | str:
    """The domain, or why it has no gains."""
    enough = choice.enough(results.cells)
    cells = tuple(str(cell) for cell in results.cells.index[enough])
    vanilla = choice.base_of(results.cells, "vanilla")
    if vanilla is None:
        return "vanilla has not finished half of its prompts"
    tags, (scores,) = results.shared(cells, [f"score.{results.reward}"])
    if tags.empty:
        return f"no prompt has a score of {results.reward} in all cells"
    variance = variances(results, vanilla, tags.index)
    if not variance.mean() > 0:
        return "vanilla's images of a prompt do not differ in the guiding reward"
    drawn = draws(tags)
    unit = float(np.sqrt(variance.mean()))
    units = np.sqrt(drawn.weights @ variance / len(tags))
    gain = stats.means(scores - scores[cells.index(vanilla)], drawn)
    gain = stats.Estimates(gain.value / unit, gain.samples / units[:, None])
    kinds = ["calls.denoiser", "calls.denoiser_backward"]
    counts = [results.of(cell).loc[tags.index, kinds].to_numpy(float).sum() for cell in cells]
    calls = np.array(counts) / counts[cells.index(vanilla)]
    return Domain(name, results, vanilla, cells, tags, gain, unit, units, calls)


def variances(results: Results, cell: str, indices: pd.Index) -> stats.Array:
    """Variance of the guiding reward over the images of each prompt, (n,)."""
    records = read_records(results.cells.path[cell] / "records.jsonl").by_index
    scores = [(records[index].scores or {})[results.reward] for index in indices]
    return np.array([np.var(own, ddof=1) if len(own) > 1 else 0.0 for own in scores])


def _order(name: str) -> list[Any]:
    """By name, with 8 before 64."""
    return [part.zfill(9) for part in re.split(r"(\d+)", name)]
