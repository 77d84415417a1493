"""Figures of the ground truth: estimators' errors, LiDAR's convergence, samples on the target."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.mixture.judge import target
from bench.report import style
from bench.report.truth.curves import by_dimension, by_scale, lookahead_errors, slope
from bench.report.truth.read import Truth
from bench.report.truth.worlds import MIXTURE

COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#8C510A")
REACH = 4.3  # half the width of a panel of samples


def logarithmic(ax: Axes, ticks: list[float]) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())


def against_scale(probed: pd.DataFrame) -> Figure | None:
    """Errors of value and shift over λ; None where no estimator was probed at three λ."""
    return _against(by_scale(probed), "scale", "λ", VALUE, SHIFT)


def against_size(probed: pd.DataFrame, name: str) -> Figure | None:
    """Relative error of the shift over the dimension, by the ``name`` that it has; None where no
    estimator was probed in three."""
    return _against(by_dimension(probed), "dimension", name, SHIFT)


VALUE = ("value", "Value: Σ (V − V̂)² along a trajectory")
SHIFT = ("shift", "Shift: error relative to the exact shift's size")


def _against(frame: pd.DataFrame, x: str, name: str, *errors: tuple[str, str]) -> Figure | None:
    """A panel for each error, a line for each label over ``x``."""
    if frame.empty:
        return None
    fig, axes = style.figure(5.1 * len(errors) + 0.6, 4.6, columns=len(errors))
    for ax, (y, title) in zip(axes, errors, strict=True):
        for place, (label, own) in enumerate(frame.sort_values(x).groupby("label")):
            color, marker = COLORS[place % len(COLORS)], style.MARKERS[place % len(style.MARKERS)]
            ax.errorbar(own[x], own[y], yerr=style.errors(own, y), color=color, marker=marker,
                        markersize=5, linewidth=1.2, elinewidth=0.8, label=label)  # fmt: skip
        logarithmic(ax, sorted(frame[x].unique()))
        ax.set_xlabel(name, fontsize=9)
        ax.set_title(title, fontsize=9, loc="left")
    style.legend(fig, axes, 3)
    return fig


def convergence(probed: pd.DataFrame) -> Figure | None:
    """LiDAR's shift error over n and over lookahead steps δ; None without these probes."""
    by_n, by_steps = lookahead_errors(probed)
    if by_n.empty and by_steps.empty:
        return None
    fig, (left, right) = style.figure(9.2, 3.9, columns=2)
    if not by_n.empty:
        n, error = by_n.n.to_numpy(float), by_n["shift"].to_numpy(float)
        left.plot(n, error, "D-", color=COLORS[0], markersize=5, label="measured")
        guide = error[-1] * (n / n[-1]) ** -0.5
        left.plot(n, guide, ":", color=style.INK, linewidth=1, label="slope −1/2")
        logarithmic(left, sorted(n))
        left.set_title(f"n samples: slope {slope(n, error):.2f}", fontsize=9, loc="left")
        left.set_xlabel(f"n ({by_n.solver.iloc[0]}, {by_n.steps.iloc[0]} steps)", fontsize=9)
        left.legend(fontsize=8, frameon=False)
    if not by_steps.empty:
        right.plot(by_steps.steps, by_steps["shift"], "D-", color=COLORS[0], markersize=5)
        logarithmic(right, sorted(by_steps.steps))
        right.set_title("δ lookahead steps", fontsize=9, loc="left")
        right.set_xlabel(f"δ ({by_steps.solver.iloc[0]}, n = {by_steps.n.iloc[0]})", fontsize=9)
    left.set_ylabel("relative error of LiDAR's shift", fontsize=9)
    return fig


def samples(truth: Truth) -> Figure | None:
    """Each method's samples of one problem over the mixture's contours, in two dimensions, from
    its setting that comes nearest there."""
    drawn = truth.methods
    if drawn.empty or truth.world is not MIXTURE:
        return None
    drawn = drawn[(drawn.cell != "") & (drawn["size"] == 2)]
    separated = drawn[drawn.tag == "separated"]
    drawn = separated if not separated.empty else drawn
    drawn = drawn[drawn.prompt == drawn.prompt.min()].sort_values("w2")
    drawn = drawn.drop_duplicates("method").set_index("cell")
    order = list(drawn.index)
    if not order:
        return None
    config = truth.cells.config[order[0]]
    columns = 7
    rows = -(-len(order) // columns)
    fig, axes = style.figure(1.75 * columns, 2.25 * rows, columns=columns, rows=rows)
    for ax in axes:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
    prompt = str(drawn.prompt.iloc[0])
    given = config["reward"], config["target_scale"], 2, config["backbone"]["components"]
    tilted = target(prompt, *given)
    center = tilted.mean().numpy()
    grid = np.linspace(-REACH, REACH, 120)
    mesh = np.stack(np.meshgrid(center[0] + grid, center[1] + grid), axis=-1)
    density = tilted.log_prob(torch.from_numpy(mesh)).exp().numpy()
    levels = density.max() * np.array([0.02, 0.1, 0.3, 0.6])
    for ax, cell in zip(axes, order, strict=False):
        points = np.load(truth.cells.path[cell] / "images" / drawn.path[cell])
        ax.plot(*points.T, ".", markersize=1.6, color=COLORS[1], alpha=0.6, zorder=2,
                rasterized=True)  # fmt: skip
        ax.contour(mesh[..., 0], mesh[..., 1], density, levels, colors=COLORS[0], linewidths=0.8)
        ax.set_xlim(center[0] - REACH, center[0] + REACH)
        ax.set_ylim(center[1] - REACH, center[1] + REACH)
        ax.set_aspect("equal")
        text = f"{drawn.w2[cell]:.1f}×  {drawn.label[cell]}"
        lines = "\n".join(textwrap.wrap(text, 27))
        ax.set_title(style.plain(lines), fontsize=6.5, loc="left")
    return fig
