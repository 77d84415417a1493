"""Figures of predicted costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.report import style

PARTS = {
    "denoiser": ("denoiser", "#E69F00", ""),
    "denoiser_backward": ("denoiser, backward", "#E69F00", "///"),
    "decode": ("decoder", "#56B4E9", ""),
    "decode_backward": ("decoder, backward", "#56B4E9", "///"),
    "reward": ("reward", "#CC79A7", ""),
    "reward_backward": ("reward, backward", "#CC79A7", "///"),
    "text": ("text", "#7F7F7F", ""),
}
PAPER, ROOFLINE, PLAIN = "#000000", "#D55E00", "#0072B2"


def against(known: pd.DataFrame) -> Figure:
    """Ratios to vanilla: the paper's, the roofline's and by plain operations; a row a cell."""
    fig, (ax,) = style.figure(8.2, 1.3 + 0.24 * len(known))
    places = np.arange(len(known))
    ax.hlines(places, known.flops, known.roofline, color=style.FAINT, linewidth=2, zorder=1)
    ax.plot(known.flops, places, "o", color=PLAIN, markersize=6, markerfacecolor="white",
            label="plain operations")  # fmt: skip
    ax.plot(known.roofline, places, "o", color=ROOFLINE, markersize=7, label="roofline")
    ax.plot(known.paper, places, "|", color=PAPER, markersize=15, markeredgewidth=2.2,
            label="measured by the paper")  # fmt: skip
    ax.set_xscale("log")
    ax.set_xlim(0.95, max(known[["flops", "roofline", "paper"]].max()) * 1.15)
    style.log_ticks(ax, "×")
    style.rows(ax, known.label)
    ax.set_xlabel("cost of a prompt / vanilla's (log scale)", fontsize=9)
    style.key_above(ax)
    return fig


def parts(frame: pd.DataFrame) -> Figure:
    """A bar a cell, split by part, in units of vanilla's operations."""
    fig, (ax,) = style.figure(8.2, 1.6 + 0.26 * len(frame))
    places, left = np.arange(len(frame)), np.zeros(len(frame))
    for kind, (name, color, hatch) in PARTS.items():
        if f"part.{kind}" not in frame:
            continue
        width = frame[f"part.{kind}"].fillna(0).to_numpy(float)
        ax.barh(places, width, left=left, color=color, hatch=hatch, height=0.66, label=name,
                edgecolor="white", linewidth=0.4)  # fmt: skip
        left += width
    for place, total in zip(places, left, strict=True):
        ax.annotate(f"{total:.2f}×", (total, place), xytext=(4, 0), textcoords="offset points",
                    va="center", fontsize=7, color=style.INK)  # fmt: skip
    ax.set_xlim(0, left.max() * 1.1)
    ax.axvline(1, color=style.INK, linewidth=0.8, linestyle=":")
    style.rows(ax, frame.label)
    ax.set_xlabel("floating-point operations / vanilla's", fontsize=9)
    ax.legend(fontsize=7, frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.4, 1.0))
    return fig


def by_n(frame: pd.DataFrame) -> Figure:
    """LiDAR's cost over n by each lookahead solver, and the guided steps' own arithmetic."""
    fig, axes = style.figure(8.2, 3.6, columns=2)
    for name, own in frame.groupby("lookahead", sort=False):
        axes[0].plot(own.n, own.roofline, marker="o", markersize=3, linewidth=1.3,
                     label=style.plain(str(name)))  # fmt: skip
        axes[1].plot(own.n, 100 * own.guidance, marker="o", markersize=3, linewidth=1.3)
    for ax, said in zip(
        axes, ("cost / vanilla's", "guidance itself, % of vanilla's cost"), strict=True
    ):
        ax.set_xscale("log")
        ax.set_yscale("log")
        style.log_ticks(ax)
        ax.set_xlabel("lookahead samples n", fontsize=9)
        ax.set_ylabel(said, fontsize=9)
    style.legend(fig, axes, 4)
    return fig
