"""Which prompts are timed beside vanilla, and in which order: by a prompt's place alone.

One prompt of each block of ``every`` is timed. Its place in the block moves by the golden ratio, so
that the timed prompts are spread evenly over shards however many there are, and over anything else
that recurs. The order alternates by the Thue–Morse sequence (vanilla first, second, second, first,
second, first, first, second …), in which a drift of the machine cancels.

A pair in which vanilla was slow was disturbed, and is timed again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import TypeVar

Timed = TypeVar("Timed")
SLOW = 1.15  # times the median of vanilla's seconds: the pair was disturbed
AGAIN = 2  # times at most that a pair is timed once more
GOLDEN = 2654435769  # 2^32 / 1.618…, odd: Knuth's multiplicative hashing


def timed(place: int, every: int, total: int) -> bool:
    """Whether the prompt at ``place`` of ``total`` is timed: one in ``every``, never none."""
    block = place // every
    size = min(every, total - block * every)
    offset = (block * GOLDEN % 2**32) * size >> 32
    return place - block * every == offset


def vanilla_first(place: int, every: int) -> bool:
    """The order of the pair at ``place``."""
    return (place // every).bit_count() % 2 == 0


def undisturbed(
    time: Callable[[], Timed],
    seconds: Callable[[Timed], tuple[float, float]],
    before: Sequence[float],
) -> Timed:
    """What ``time`` gives, a pair, of which ``seconds`` tells those of vanilla and of the method.

    ``before``: vanilla's seconds on the cell's earlier prompts. While vanilla takes more than
    `SLOW` times their median the pair is timed once more, `AGAIN` times at most. The pair that is
    quickest as a whole is kept: choosing by vanilla alone would flatter vanilla.
    """
    pairs = [time()]
    while before and len(pairs) <= AGAIN and seconds(pairs[-1])[0] > SLOW * median(before):
        pairs.append(time())
    return min(pairs, key=lambda pair: sum(seconds(pair)))
