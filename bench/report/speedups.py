"""How many times faster is LiDAR than each other method, at the same GenEval?"""

from __future__ import annotations

from dataclasses import dataclass

from bench import stats
from bench.report import choice
from bench.report.load import Results
from bench.report.summary import NOTHING, lidar_speedup
from bench.report.sweeps import FEW, by_cost, sweeps

LIDAR = "lidar"


@dataclass(frozen=True)
class Speedup:
    """LiDAR against ``method``.

    ``faster``: cost of the method over cost of LiDAR at the method's best GenEval; ``reverse``:
    cost of LiDAR over cost of the method at LiDAR's best; both None with a ``reason``. ``plain``:
    the ratio of costs at the typical settings, whatever the quality. ``cells``: LiDAR's and the
    method's, swept. ``timed``: prompts on which all of these were timed.
    """

    method: str
    faster: stats.Matched | None
    reverse: stats.Matched | None
    reason: str
    plain: stats.Interval
    cells: tuple[tuple[str, ...], tuple[str, ...]]
    timed: int = 0


def speedups(results: Results) -> list[Speedup]:
    """One for each family of methods beside LiDAR's; none where there is no LiDAR cell."""
    cells = results.cells
    ours = choice.typical(cells, LIDAR)
    if ours is None:
        return []
    found = []
    for method in dict.fromkeys(choice.family(str(m)) for m in cells.method):
        theirs = choice.typical(cells, method)
        if method == LIDAR or theirs is None:
            continue
        plain = NOTHING
        if choice.same_target(cells, ours, theirs):
            plain = lidar_speedup(results.of(ours), results.of(theirs))
        groups = [by_cost(results, choice.budget(cells, m)) for m in (LIDAR, method)]
        reason = _reason(results, ours, theirs, groups)
        pair = None if reason else sweeps(results, groups)
        swept = tuple(groups[0]), tuple(groups[1])
        if pair is None:
            found.append(Speedup(method, None, None, reason or FEW, plain, swept))
            continue
        fast, slow = pair
        faster = stats.matched(fast, slow, stats.best_of(slow))
        reverse = stats.matched(slow, fast, stats.best_of(fast))
        timed = (fast.cost.freedom or 0) + 1
        found.append(Speedup(method, faster, reverse, "", plain, swept, timed))
    return found


def _reason(results: Results, ours: str, theirs: str, groups: list[list[str]]) -> str:
    """Why there can be no speedup at matched quality, "" where there can."""
    if not choice.same_target(results.cells, ours, theirs):
        return "another target solver, so another yardstick"
    for who, group in zip(("LiDAR's budget", "its budget"), groups, strict=True):
        if len(group) < 2:  # settings
            return f"{who} was not swept"
    return ""


def said(found: stats.Matched | None, reason: str) -> str:
    """A matched speedup in words: "3.1× [2.0, 4.4]", "not reached (in 12% of draws)"."""
    if found is None:
        return f"– ({reason})"
    if found.value is None:
        who = " and ".join({"fast": "by the faster one", "slow": "by the slower one"}[m]
                           for m in found.missing)  # fmt: skip
        share = f"{found.share_reached:.0%} of draws reach it"
        return f"{found.status} ({share})" if who else found.status
    prefix = "≥ " if found.status == "at least" else ""
    value = found.value
    return f"{prefix}{value.value:.2f}× [{value.low:.2f}, {value.high:.2f}]"
