"""Figures over one setting, all else equal: LiDAR's n and δ, and the guidance scales."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
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


def scaling(results: Results, summary: pd.DataFrame, styles: dict[str, Look]) -> Figure | None:
    """GenEval and the guiding reward over n and over δ; None where LiDAR was swept in neither."""
    panels = []
    for key, head in BUDGETS:
        curves = [(m, choice.varied(results.cells, m, key)) for m in SAMPLED]
        if not curves[0][1].empty:
            panels.append((head, [curve for curve in curves if not curve[1].empty]))
    title = "Scaling with the lookahead, 95% intervals over prompts"
    return _panels(results, summary, styles, panels, title)


def ablation(results: Results, summary: pd.DataFrame, styles: dict[str, Look]) -> Figure | None:
    """GenEval and the guiding reward over each method's scale; None where none was swept."""
    panels = []
    for method, key, symbol in SCALES:
        cells = choice.varied(results.cells, method, key)
        if not cells.empty:
            panels.append((f"{symbol} of {method}", [(method, cells)]))
    title = "Guidance scales, 95% intervals over prompts"
    return _panels(results, summary, styles, panels, title)


def _panels(
    results: Results,
    summary: pd.DataFrame,
    styles: dict[str, Look],
    panels: Sequence[tuple[str, Sequence[Curve]]],
    title: str,
) -> Figure | None:
    """A column a setting, a row a measure."""
    reward = f"score.{results.reward}"
    measures = {"geneval": "GenEval", reward: f"{results.reward} (guides)"}
    measures = {name: head for name, head in measures.items() if summary[name].notna().any()}
    if not panels or not measures:
        return None
    columns, rows = len(panels), len(measures)
    fig, axes = style.figure(max(0.6 + 3.0 * columns, 5.2), 0.9 + 2.3 * rows, columns, rows)
    fig.suptitle(title, fontsize=10, x=0.01, ha="left")
    places = iter(axes)
    for name, head in measures.items():
        for place, (setting, curves) in enumerate(panels):
            ax = next(places)
            for method, cells in curves:
                _curve(ax, summary, cells, name, method, styles)
            ticks = sorted({float(value) for _, cells in curves for value in cells})
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            _reference(ax, results, summary, name, str(curves[0][1].index[0]))
            ax.set_xlabel(style.plain(setting), fontsize=9)
            if place == 0:
                ax.set_ylabel(style.plain(head), fontsize=9)
    style.legend(fig, axes, 5)
    return fig


def _curve(
    ax: Axes,
    summary: pd.DataFrame,
    cells: pd.Series,
    name: str,
    method: str,
    styles: dict[str, Look],
) -> None:
    own = summary.loc[cells.index]
    own = own.assign(at=cells)[own[name].notna()]
    if own.empty:
        return
    color = styles[str(own.label.iloc[0])].color
    marker = style.KNOWN.get(method, (color, "o"))[1]
    ax.errorbar(
        own["at"], own[name], yerr=style.errors(own, name), fmt=f"{marker}-", color=color,
        markersize=5, linewidth=1.2, elinewidth=1, label=style.plain(method),
    )  # fmt: skip
    if (own["at"] > 0).all():
        ax.set_xscale("log")
        ax.minorticks_off()


def _reference(ax: Axes, results: Results, summary: pd.DataFrame, name: str, cell: str) -> None:
    """The vanilla of ``cell`` as a dotted line."""
    vanilla = results.references.get(cell)
    if vanilla in summary.index and summary[name].notna()[vanilla]:
        ax.axhline(summary[name][vanilla], color=style.INK, linewidth=1, linestyle=":",
                   label="vanilla")  # fmt: skip
