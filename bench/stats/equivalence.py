"""Better, worse, equivalent or not decided: a difference against a margin fixed beforehand.

That an interval covers 0 does not make two things equal. Equivalent they are only where the whole
interval lies within ± the margin; a difference may be decided and small at once.
"""

from __future__ import annotations

from typing import Literal

from bench.stats.interval import LEVEL, Interval

Answer = Literal[
    "better",
    "better, by less than the margin",
    "worse",
    "worse, by less than the margin",
    "equivalent",
    "not decided",
]


def equivalent(found: Interval, margin: float) -> bool:
    """Whether the interval lies wholly within ± ``margin``."""
    return found.known and -margin < found.low and found.high < margin


def answer(found: Interval, p: float, margin: float, *, level: float = LEVEL) -> Answer:
    """What is decided of a difference by its ``p``, and by its interval against the ``margin``.

    In a family of questions ``p`` is the corrected one, and the interval one that holds together
    with the others'.
    """
    small = equivalent(found, margin)
    if p <= 1 - level:
        if found.value > 0:
            return "better, by less than the margin" if small else "better"
        return "worse, by less than the margin" if small else "worse"
    return "equivalent" if small else "not decided"
