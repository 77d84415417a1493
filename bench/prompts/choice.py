"""A prompt, and which prompts of a list are taken: nested choices, spread over every task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Metadata = dict[str, Any]

JUDGED = ("tag", "include", "exclude", "prompt")  # GenEval's own fields
UNTAGGED = "all"  # the task of prompts that belong to none
GOLDEN = 2654435769  # 2^32 / 1.618…


@dataclass(frozen=True)
class Prompt:
    """A prompt: its place in its source's whole list, and its fields as GenEval lays them out.

    ``metadata`` has "prompt" and "tag" in any case, "include" where GenEval can judge it.
    """

    index: int
    metadata: Metadata

    @property
    def text(self) -> str:
        return str(self.metadata["prompt"])

    @property
    def tag(self) -> str:
        """The task or category by which results are stratified."""
        return str(self.metadata["tag"])

    @property
    def fields(self) -> dict[str, Any]:
        """What else the prompt's source says of it."""
        return {key: value for key, value in self.metadata.items() if key not in JUDGED}


def spread(count: int) -> list[int]:
    """The places 0 … count - 1 in an order of which every beginning is evenly spread.

    They are visited in steps of the golden ratio, whose multiples leave gaps of at most three
    lengths (the three-distance theorem), from the middle on.
    """
    points = ((2**31 + step * GOLDEN) % 2**32 for step in range(3 * count))
    return list(dict.fromkeys(point * count >> 32 for point in points))


def choose(
    prompts: Sequence[Prompt],
    per_task: int | None = None,
    limit: int | None = None,
    skip_per_task: int | None = None,
) -> list[Prompt]:
    """``per_task`` prompts of each task, ``limit`` in all; None means every one.

    ``skip_per_task``: so many of each task, those that a choice without it takes first, are left
    out: what was developed or tuned on them can then be tested on others.

    The first of each task come first, then the second of each, and so on. Every choice is the
    beginning of the same order, so whoever raises either number keeps what is done.
    """
    tasks: dict[str, list[Prompt]] = {}
    for prompt in prompts:
        tasks.setdefault(prompt.tag, []).append(prompt)
    skip = skip_per_task or 0
    ranked = [
        (rank, number, task[place])
        for number, task in enumerate(tasks.values())
        for rank, place in enumerate(spread(len(task))[skip:][:per_task])
    ]
    ranked.sort(key=lambda entry: entry[:2])
    return [prompt for _, _, prompt in ranked[:limit]]
