"""How many times faster is LiDAR than each other method, at the same quality?"""

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

    ``faster``: cost of the method over cost of LiDAR at the method's best quality; ``reverse``:
    cost of LiDAR over cost of the method at LiDAR's best; both None with a ``reason``. ``plain``:
    the ratio of costs at the typical settings, whatever the quality. ``settings``: how many of
    LiDAR's and of the method's were swept. ``timed``: prompts on which all of these were timed; 0:
    costs are in calls of the denoiser.
    """

    method: str
    faster: stats.Matched | None
    reverse: stats.Matched | None
    reason: str
    plain: stats.Interval
    settings: tuple[int, int]
    timed: int = 0


def speedups(results: Results) -> list[Speedup]:
    """One for each family of methods beside LiDAR's; none where there is no LiDAR cell."""
    cells = results.cells
    ours = choice.base_of(cells, LIDAR)
    found = []
    for method in dict.fromkeys(choice.family(str(m)) for m in cells.method):
        theirs = choice.base_of(cells, method)
        if ours is None or method == LIDAR or theirs is None:
            continue
        groups = [by_cost(results, choice.budget(cells, m)) for m in (LIDAR, method)]
        same, pair = choice.same_target(cells, ours, theirs), None
        plain = lidar_speedup(results, ours, theirs) if same else NOTHING
        who = ["LiDAR's budget"] * (len(groups[0]) < 2) + ["its budget"] * (len(groups[1]) < 2)
        reason = "" if same else "another target solver, so another yardstick"
        if same and who:
            reason = f"{who[0]} was not swept"
        elif same:
            pair = sweeps(results, groups)
            reason = "" if pair else FEW
        size = len(groups[0]), len(groups[1])
        if pair is None:
            found.append(Speedup(method, None, None, reason, plain, size))
            continue
        fast, slow = pair
        faster = stats.matched(fast, slow, stats.best_of(slow))
        reverse = stats.matched(slow, fast, stats.best_of(fast))
        timed = 0 if fast.cost.freedom is None else fast.cost.freedom + 1
        found.append(Speedup(method, faster, reverse, "", plain, size, timed))
    return found


def said(found: stats.Matched | None, reason: str) -> str:
    """A matched speedup in words: "3.1× [2.0, 4.4]", "not reached (12% of draws reach it)"."""
    if found is None:
        return f"– ({reason})"
    if found.value is None:
        reached = f" ({found.share_reached:.0%} of draws reach it)" if found.missing else ""
        return found.status + reached
    prefix = "≥ " if found.status == "at least" else ""
    value = found.value
    return f"{prefix}{value.value:.2f}× [{value.low:.2f}, {value.high:.2f}]"
