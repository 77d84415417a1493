"""The report of ``guidance-bench gradient``: is each reward's gradient worth following?"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench import stats
from bench.report import style
from bench.report.document import Bullets, Document, Picture, Section, Table
from bench.report.summary import draws
from bench.report.table import NONE, spread

RANDOM = "a random direction"
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
ABOUT = (
    "Climb: {0} steps along the normalised gradient through the decoder, each of {1:.0%} of the "
    "norm that the latents began with. Gain kept: the gain that one such step brings, over the "
    "gain that its slope promises; 1 where the reward is straight. Repaired: the share of the "
    "images that were wrong by GenEval and are right after the climb; broken: the other way. "
    "Brackets: 95% intervals over prompts."
)
FIGURE = (
    "Left: gain of a single step over the gain promised by the slope, against the step's length. "
    "Right: what the whole climb changes in GenEval, with 95% intervals."
)


def report(frame: pd.DataFrame, steps: int, step: float) -> Document:
    """Of rows for each reward, prompt and image: ``promised.<size>``, ``actual.<size>``, and
    ``before.<score>``, ``after.<score>`` with "geneval" among the scores."""
    found = pd.DataFrame([summary(own, str(name), step) for name, own in by_reward(frame)])
    own = frame[frame.reward == frame.reward.iloc[0]]
    facts = {"prompts": str(own["index"].nunique()), "images": str(len(own))}
    parts = (
        Bullets(tuple(verdict(row) for _, row in found.iterrows() if row.reward != RANDOM)),
        Table("gradients", shown(found), ABOUT.format(steps, step), found),
        Picture("gradients", "Promise and gain", FIGURE, figure(frame, found)),
    )
    title = "The gradients of the rewards"
    return Document(title, facts, (), (Section("What the gradients are worth", parts),))


def by_reward(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(name), own) for name, own in frame.groupby("reward", sort=False)]


def summary(own: pd.DataFrame, name: str, step: float) -> dict[str, object]:
    """One reward's estimates, each with its interval's ends."""
    right, after = own["before.geneval"] > 0.5, own["after.geneval"] > 0.5
    row: dict[str, object] = {"reward": name}
    named = {
        "kept": _ratio(own, own[f"actual.{step:g}"], own[f"promised.{step:g}"]),
        "repaired": _ratio(own, ~right & after, ~right, share=True),
        "broken": _ratio(own, right & ~after, right, share=True),
    }
    scores = [c.removeprefix("before.") for c in own.columns if c.startswith("before.")]
    for score in scores:
        start, end = own[f"before.{score}"], own[f"after.{score}"]
        named[f"{score}.before"], named[f"{score}.change"] = (
            _mean(own, start),
            _mean(own, end - start),
        )
    for key, value in named.items():
        row |= {key: value.value, f"{key}.low": value.low, f"{key}.high": value.high}
    return row


def _prompts(own: pd.DataFrame, values: pd.Series) -> tuple[np.ndarray, stats.Draws]:
    """The sum of ``values`` over each prompt's images, and draws of the prompts."""
    grouped = values.astype(float).groupby(own["index"], sort=False).sum()
    tags = own.groupby("index", sort=False).tag.first()
    return grouped.to_numpy(), draws(tags)


def _mean(own: pd.DataFrame, values: pd.Series) -> stats.Interval:
    sums, drawn = _prompts(own, values)
    return stats.mean(sums * len(sums) / len(own), drawn)


def _ratio(
    own: pd.DataFrame, part: pd.Series, whole: pd.Series, share: bool = False
) -> stats.Interval:
    above, drawn = _prompts(own, part)
    below, _ = _prompts(own, whole)
    if not below.any():
        return stats.Interval(np.nan, np.nan, np.nan, 0)
    sampled = drawn.weights @ below
    samples = np.divide(
        drawn.weights @ above, sampled, out=np.zeros_like(sampled), where=sampled > 0
    )
    value = float(above.sum() / below.sum())
    if share:
        return stats.share(value, samples, int((below > 0).sum()), float(below.sum()))
    return stats.student(value, samples, drawn)


def verdict(row: pd.Series) -> str:
    """Whether methods that follow this gradient are tested fairly by it, in a sentence."""
    change = row["geneval.change"]
    told = f"GenEval {row['geneval.before']:.3f} → {row['geneval.before'] + change:.3f}"
    if row["geneval.change.low"] > 0:
        what = "its gradient repairs images, so gradient guidance is tested fairly with it"
    elif row["geneval.change.high"] < 0:
        what = (
            "its gradient breaks more than it repairs, so a failure of gradient guidance with it "
            "is the reward's and says nothing against the method"
        )
    else:
        what = (
            "its gradient is not shown to repair more than it breaks, nor the other way, so a "
            "failure of gradient guidance with it may be the reward's"
        )
    return f"{row.reward}: {what} ({told})."


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """The estimates as text."""
    changed = [c.removesuffix(".change") for c in found.columns if c.endswith(".change")]
    rows = []
    for _, row in found.iterrows():
        name, own = row.reward, row.reward in changed
        line = {
            "climbing": name,
            "its own score": f"{row[f'{name}.before']:.2f}" if own else NONE,
            "gained": spread(row, f"{name}.change", "{:+.2f}") if own else NONE,
            "gain kept": spread(row, "kept", "{:.2f}"),
            "GenEval": f"{row['geneval.before']:.3f}",
            "GenEval's change": spread(row, "geneval.change", "{:+.3f}"),
            "repaired": spread(row, "repaired", "{:.0%}"),
            "broken": spread(row, "broken", "{:.0%}"),
        }
        others = [score for score in changed if score not in ("geneval", name)]
        line |= {f"{score}'s change": f"{row[f'{score}.change']:+.3f}" for score in others}
        rows.append(line)
    return pd.DataFrame(rows).fillna(NONE)


def figure(frame: pd.DataFrame, found: pd.DataFrame) -> Figure:
    fig, (left, right) = style.figure(8.5, 3.4, columns=2)
    sizes = [float(c.removeprefix("actual.")) for c in frame.columns if c.startswith("actual.")]
    for color, (name, own) in zip(COLORS, by_reward(frame[frame.reward != RANDOM]), strict=False):
        kept = [own[f"actual.{s:g}"].sum() / own[f"promised.{s:g}"].sum() for s in sizes]
        left.plot([100 * s for s in sizes], kept, marker="o", color=color, label=style.plain(name))
    left.axhline(1, color=style.INK, linewidth=0.8)
    left.set_xscale("log")
    left.set_xlabel("length of the step, % of the latents' norm", fontsize=8)
    left.set_ylabel("gain over promised gain", fontsize=8)
    left.legend(fontsize=8, frameon=False)
    places = np.arange(len(found))
    right.errorbar(
        found["geneval.change"],
        places,
        xerr=style.errors(found, "geneval.change"),
        fmt="o",
        color=style.INK,
    )
    right.axvline(0, color=style.INK, linewidth=0.8)
    right.set_yticks(places, [style.plain(str(n)) for n in found.reward], fontsize=8)
    right.invert_yaxis()
    right.set_xlabel("change of GenEval by the climb", fontsize=8)
    return fig
