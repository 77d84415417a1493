"""Jobs side by side on one results folder: who is at work, and whose turn it is to report.

Locks of the kernel (flock), let go of when their process ends, however it ends.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def at_work(results: Path, sweep: bool = True) -> Iterator[IO[str] | None]:
    """Count among the jobs of a sweep on this folder; waits while the last of others reports.

    Yields what `alone` asks for; None where the job is none of a sweep's.
    """
    if not sweep:
        yield None
        return
    results.mkdir(parents=True, exist_ok=True)
    with (results / "lock-jobs").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file


def alone(file: IO[str] | None) -> bool:
    """Whether no other job of a sweep is at work; if so none begins until this one ends.

    Asked when a job has done its work: it no longer counts among those at work, so of jobs that end
    together one is alone, the last to ask.
    """
    if file is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        fcntl.flock(file, fcntl.LOCK_UN)
        return False
    return True


@contextmanager
def reporting(results: Path) -> Iterator[None]:
    """One report at a time is written into a folder; waits for its turn."""
    with (results / "lock-report").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
