"""Which prompts are timed beside vanilla, and in which order: by a prompt's place alone.

One prompt of each block of ``every`` is timed. Its place in the block moves by the golden ratio, so
that the timed prompts are spread evenly over shards however many there are, and over anything else
that recurs. The order alternates by the Thue–Morse sequence (vanilla first, second, second, first,
second, first, first, second …), in which a drift of the machine cancels.
"""

from __future__ import annotations

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
