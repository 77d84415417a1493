"""The table that grows while a run is under way: a line of plain means for each cell that is done.

The report at the end has the intervals, and compares cells over the prompts that they share.
"""

from __future__ import annotations

from collections.abc import Iterable

from bench.stats.quality import headline
from bench.store.frames import prompt_rows
from bench.store.schema import Record

FORM = "{:>7}  {:<24}{:>8}{:>13}{:>16}{:>10}"
LONGEST = 11  # characters of the reward's name


def heading(reward: str) -> str:
    """The table's first line; ``reward`` is the one that guides."""
    named = reward if len(reward) <= LONGEST else reward[: LONGEST - 1] + "…"
    return FORM.format("cell", "method", "GenEval", named, "cost / vanilla", "s/prompt")


def line(cell: str, method: str, records: Iterable[Record], reward: str) -> str:
    """A cell's line: ``cell`` says which of how many it is, ``records`` are its finished prompts.

    GenEval is the mean over tasks of the share of correct images; cost is the ratio to vanilla over
    the prompts on which vanilla was timed too; seconds are the median. What is not known is a dash.
    """
    prompts = prompt_rows(list(records))
    if prompts.empty:
        return FORM.format(cell, method, *"––––")
    judged = prompts.dropna(subset=["correct"])
    correct, images = (judged[name].to_numpy(float) for name in ("correct", "images"))
    vanilla, own = (prompts[f"yardstick.{side}"].sum() for side in ("vanilla", "method"))
    name = f"score.{reward}"
    return FORM.format(
        cell,
        method,
        f"{headline(correct, images, judged.tag.to_numpy()):.3f}" if len(judged) else "–",
        f"{prompts[name].mean():.3f}" if name in prompts else "–",
        f"{own / vanilla:.2f}×" if vanilla else "–",
        f"{prompts['seconds.total'].median():.3g}",
    )
