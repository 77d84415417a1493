"""LiDAR against what the same denoiser calls buy without it, in each domain.

Two controls: the best of vanilla's candidates (Best-of-N, of which vanilla is N = 1), and the best
of LiDAR's own lookahead samples, delivered. Each is read off at LiDAR's own calls, on the straight
line in log calls between the control's settings next to it. Calls are counted, so they are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench import stats
from bench.report import choice
from bench.report.controls import CHEAPER, DEARER, WHERE
from bench.report.domains.read import Domain

LIDAR = ("lidar", "lidar_tokens")
CONTROLS = {"best_of_n": "Best-of-N", "best_of_lookahead": "its own best lookahead samples"}
BEST = "best"


@dataclass(frozen=True)
class Against:
    """Gain of a cell at ``calls`` less that of ``control``, in units: ``value``, and in every draw
    ``samples``. ``where``: whether calls are matched, or the end of the control's sweep, of calls
    ``stands_in``, that was compared with."""

    control: str
    calls: float
    where: str
    stands_in: float
    value: float
    samples: stats.Array
    draws: stats.Draws

    def at(self, level: float = stats.LEVEL) -> stats.Interval:
        """The difference with its interval."""
        return stats.student(self.value, self.samples, self.draws, level=level)

    def wins(self, level: float = stats.LEVEL) -> bool:
        """The cell gains more than the control does at its calls or above them."""
        return self.at(level).low > 0 and self.where != CHEAPER

    def loses(self, level: float = stats.LEVEL) -> bool:
        """The control gains more at the cell's calls or below them."""
        return self.at(level).high < 0 and self.where != DEARER


def lidar(domain: Domain) -> str | None:
    """LiDAR's typical cell."""
    typical = [choice.base_of(domain.results.cells, method) for method in LIDAR]
    return next((cell for cell in typical if cell is not None), None)


def lidars(domain: Domain) -> list[str]:
    """All of LiDAR's cells."""
    return [cell for cell in domain.cells if domain.results.cells.method[cell] in LIDAR]


def settings(domain: Domain, control: str) -> list[str]:
    """The cells of a control's sweep, in order of calls; none where there is no such method."""
    group = choice.budget(domain.results.cells, control)
    if group and control == "best_of_n":
        group = [domain.vanilla, *group]
    return sorted(group, key=lambda cell: domain.calls[domain.cells.index(cell)])


def nearest(domain: Domain, cells: Sequence[str], cell: str) -> str:
    """Of ``cells`` the one whose calls are nearest to those of ``cell``, by their ratio."""
    calls = np.log(domain.calls)
    mine = calls[domain.cells.index(cell)]
    return min(cells, key=lambda other: abs(calls[domain.cells.index(other)] - mine))


def of_like_calls(domain: Domain) -> set[str]:
    """LiDAR's typical cell, and of every other method the cell of the nearest calls."""
    cell, methods = lidar(domain), domain.results.cells.method
    if cell is None:
        return set(choice.typicals(domain.results.cells))
    groups: dict[str, list[str]] = {}
    for other in domain.cells:
        groups.setdefault(str(methods[other]), []).append(other)
    return {nearest(domain, own, cell) for own in groups.values()} - set(lidars(domain)) | {cell}


def sweep(domain: Domain, cells: Sequence[str]) -> stats.Sweep:
    """Gain against calls of ``cells``, which are in order of calls."""
    places = [domain.cells.index(cell) for cell in cells]
    calls = domain.calls[places]
    cost = stats.Estimates(calls, np.tile(calls, (len(domain.units), 1)))
    gain = stats.Estimates(domain.gain.value[places], domain.gain.samples[:, places])
    return stats.Sweep(cost, gain, domain.draws)


def against(domain: Domain, cell: str) -> dict[str, Against]:
    """``cell`` against each control that there is, and against the best of them (`BEST`), which is
    picked anew in every draw; one whose cheapest setting is dearer is no control at equal calls.

    Empty where a task has a single prompt: no interval.
    """
    found: dict[str, Against] = {}
    for control in CONTROLS:
        group = settings(domain, control)
        if not group or not domain.draws.known:
            continue
        own = stats.at_matched_cost(sweep(domain, [cell]), sweep(domain, group))
        value = float(domain.gain.value[domain.cells.index(cell)]) - own.control
        where = (own.cost, WHERE[own.status], own.stands_in)
        found[control] = Against(control, *where, value, own.samples, domain.draws)
    if fair := [own for own in found.values() if own.where != DEARER]:
        strongest = min(fair, key=lambda own: own.value)
        samples = np.min([own.samples for own in fair], axis=0)
        cheaper = any(own.where == CHEAPER for own in fair)
        at = CHEAPER if cheaper else strongest.where
        found[BEST] = replace(strongest, samples=samples, where=at)
    return found
