"""Figures over one setting, all else equal: LiDAR's n and δ, and the guidance scales."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from bench.report import choice, style
from bench.report.load import Results
from bench.report.style import Look

BUDGETS = (
    ("efr.lookahead.n", "n: lookahead samples"),
    ("efr.lookahead.steps", "δ: steps of the lookahead"),
)
SAMPLED = ("lidar", "best_of_lookahead")  # methods that both settings govern
SCALES = (
    ("lidar", "steer.guidance.scale", "s"),
    ("lidar", "efr.lookahead.scale", "λ"),
    ("ug", "efr.tweedie.scale", "λ"),
    ("fk_smc", "efr.tweedie.scale", "λ"),
    ("date", "steer.embedding.scale", "ρ"),
)
Curve = tuple[str, pd.Series]  # method, cell id -> value of the setting


def scaling(results: Results, summary: pd.DataFrame, looks: dict[str, Look]) -> Figure | None:
    """Quality and the guiding reward over n and over δ; None where LiDAR was swept in neither."""
    panels = []
    for key, head in BUDGETS:
        curves = [(m, choice.varied(results.cells, m, key)) for m in SAMPLED]
        if not curves[0][1].empty:
            panels.append((head, [curve for curve in curves if not curve[1].empty]))
    return _panels(results, summary, looks, panels)


def ablation(results: Results, summary: pd.DataFrame, looks: dict[str, Look]) -> Figure | None:
    """Quality and the guiding reward over each method's scale; None where none was swept."""
    panels = []
    for method, key, symbol in SCALES:
        cells = choice.varied(results.cells, method, key)
        if not cells.empty:
            panels.append((f"{symbol} of {method}", [(method, cells)]))
    return _panels(results, summary, looks, panels)


def _panels(
    results: Results,
    summary: pd.DataFrame,
    looks: dict[str, Look],
    panels: Sequence[tuple[str, Sequence[Curve]]],
) -> Figure | None:
    """A column a setting, a row a measure; vanilla as a dotted line."""
    measures = {results.quality: results.axis, f"score.{results.reward}": results.reward}
    measures = {name: head for name, head in measures.items() if summary[name].notna().any()}
    if not panels or not measures:
        return None
    columns, rows = len(panels), len(measures)
    fig, axes = style.figure(max(0.6 + 3.0 * columns, 5.2), 0.6 + 2.3 * rows, columns, rows)
    places = iter(axes)
    for name, head in measures.items():
        for place, (setting, curves) in enumerate(panels):
            ax = next(places)
            for method, cells in curves:
                own = summary.loc[cells.index].assign(at=cells).dropna(subset=[name])
                if own.empty:
                    continue
                color = looks[str(own.label.iloc[0])].color
                marker = style.KNOWN.get(method, (color, "o"))[1]
                ax.errorbar(own["at"], own[name], yerr=style.errors(own, name), fmt=f"{marker}-",
                            color=color, markersize=5, linewidth=1.2, elinewidth=1,
                            label=style.plain(method))  # fmt: skip
            ticks = sorted({float(value) for _, cells in curves for value in cells})
            if ticks[0] > 0:
                ax.set_xscale("log")
                ax.minorticks_off()
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            vanilla = results.references.get(str(curves[0][1].index[0]))
            if vanilla in summary.index:
                ax.axhline(summary[name][vanilla], color=style.INK, linewidth=1, linestyle=":",
                           label="vanilla")  # fmt: skip
            ax.set_xlabel(style.plain(setting), fontsize=9)
            if place == 0:
                ax.set_ylabel(style.plain(head), fontsize=9)
    style.legend(fig, axes, 5)
    return fig
