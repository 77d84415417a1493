"""How far a run is: a bar on a terminal, and elsewhere a line of text now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as rich_progress
from rich.console import Console

SILENCE = 30.0  # seconds between two lines, at least


class Progress:
    """What a run tells of itself; this one tells nobody. ``say`` takes remarks for the user."""

    def __init__(self, say: Callable[[str], None] = print):
        self.say = say

    def begin(self, cell: str) -> None:
        """The cell of this method comes next; its models are loaded first."""

    def skip(self, prompts: int) -> None:
        """Its models are loaded; so many prompts were done by an earlier run."""

    def advance(self) -> None:
        """One more prompt is done."""

    def end(self, line: str = "") -> None:
        """The cell is done, with this line of the table, or it has stopped."""


class Bar(Progress):
    """Prompts done over all cells, with the time left, on a terminal."""

    def __init__(self, say: Callable[[str], None], bar: rich_progress.Progress, total: int):
        super().__init__(say)
        self.bar, self.task = bar, bar.add_task("", total=total)

    def begin(self, cell: str) -> None:
        self.bar.update(self.task, description=cell)

    def skip(self, prompts: int) -> None:
        self.bar.advance(self.task, prompts)

    def advance(self) -> None:
        self.bar.advance(self.task)

    def end(self, line: str = "") -> None:
        if line:
            self.say(line)


class Lines(Progress):
    """The same as lines of plain text: one at once, one at the end of each cell, and between them
    no two within half a minute."""

    def __init__(
        self,
        say: Callable[[str], None],
        total: int,
        clock: Callable[[], float] = time.monotonic,
    ):
        super().__init__(say)
        self.total, self.clock = total, clock
        self.cell, self.last, self.done, self.sampled = "", "", 0, 0
        self.spent = 0.0  # seconds, on the sampled prompts
        self.since = self.told = -SILENCE

    def begin(self, cell: str) -> None:
        self.cell = cell
        if self.told < 0:
            self._tell(f"{self.total} prompts, {cell} first: loading its models")

    def skip(self, prompts: int) -> None:
        self.done += prompts
        self.since = self.clock()

    def advance(self) -> None:
        now = self.clock()
        self.spent, self.since = self.spent + now - self.since, now
        self.done, self.sampled = self.done + 1, self.sampled + 1
        if now - self.told >= SILENCE:
            self._tell(self._where())

    def end(self, line: str = "") -> None:
        self._tell(line + self._left() if line else self._where())

    def _where(self) -> str:
        return f"prompt {self.done} of {self.total}, {self.cell}{self._left()}"

    def _left(self) -> str:
        left = self.total - self.done
        if not left or not self.sampled:
            return ""
        return f", {duration(self.spent / self.sampled * left)} left"

    def _tell(self, line: str) -> None:
        if line != self.last:
            self.say(line)
        self.told, self.last = self.clock(), line


def duration(seconds: float) -> str:
    """Such as 45 s, 3 min 10 s, 2 h 5 min."""
    whole = round(seconds)
    minutes, hours = whole // 60, whole // 3600
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


@contextmanager
def progress_on(
    console: Console, total: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[Progress]:
    """The progress of ``total`` prompts, in the form that suits the console."""

    def say(note: str) -> None:
        console.print(note, markup=False, highlight=False, soft_wrap=True)

    if not console.is_terminal:
        yield Lines(say, total, clock)
        return
    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("left"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=console) as bar:
        yield Bar(say, bar, total)
