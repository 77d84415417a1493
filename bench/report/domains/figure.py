"""The gains as a forest plot: a row a domain, a marker a method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report import style

ROOM = 0.62  # of a row's height, for its markers
TARGET = "exact target"


def forest(rows: pd.DataFrame) -> Figure:
    """Left the gain over vanilla of the rows to be ``drawn``, and the target's where it is known;
    right LiDAR's over the best control at equal calls."""
    domains = list(dict.fromkeys(rows.domain))
    drawn = rows[rows.drawn & (rows.method != "vanilla")]
    methods = [m for m in style.KNOWN if m in set(drawn.method)]
    methods += [m for m in dict.fromkeys(drawn.method) if m not in methods]
    looks = style.looks(pd.DataFrame({"label": methods, "method": methods}))
    fig, (left, right) = style.figure(9.6, 1.5 + 0.52 * len(domains), columns=2)
    for place, method in enumerate(methods):
        own = drawn[drawn.method == method]
        shift = ROOM * ((place + 0.5) / len(methods) - 0.5)
        _draw(left, own, "gain", domains, looks[method], method, shift)
    known = rows[(rows.method == "vanilla") & rows.overshoot.notna()]
    for number, row in enumerate(known.itertuples()):
        y, x = domains.index(row.domain), row.gain - row.overshoot
        left.plot([x, x], [y - ROOM / 2, y + ROOM / 2], color=style.INK, linewidth=2, zorder=2,
                  label=TARGET if number == 0 else None)  # fmt: skip
    compared = drawn[drawn["less.best"].notna()]
    for method, own in compared.groupby("method", sort=False):
        _draw(right, own, "less.best", domains, looks[str(method)], None, 0.0)
    for ax, title in (
        (left, "gain over vanilla"),
        (right, "LiDAR less the best control at equal calls"),
    ):
        ax.axvline(0, color=style.INK, linewidth=0.9, linestyle=":")
        ax.set_title(title, fontsize=10, loc="left")
        ax.set_xlabel("standard deviations of vanilla's reward", fontsize=9)
        style.rows(ax, domains)
        for line in np.arange(len(domains) - 1) + 0.5:
            ax.axhline(line, color=style.FAINT, linewidth=0.6)
    right.set_yticklabels([])
    style.legend(fig, [left], 6)
    return fig


def _draw(
    ax: Axes,
    own: pd.DataFrame,
    name: str,
    domains: list[str],
    look: style.Look,
    label: str | None,
    shift: float,
) -> None:
    """A marker with its interval for each row of ``own``, ``shift`` below its domain's line."""
    y = [domains.index(domain) + shift for domain in own.domain]
    ax.errorbar(
        own[name], y, xerr=style.errors(own, name), fmt=look.marker, color=look.color,
        markersize=look.size - 1, markeredgewidth=0, elinewidth=1.3, zorder=3, label=label,
    )  # fmt: skip
