"""Who may write a cell: one process a prompt, however the prompts are dealt into shards.

Each shard K/N that is being written has a file that its process holds (flock, which the kernel lets
go of when the process dies). Shards K/N and L/M have a prompt in common where K and L agree modulo
the greatest common divisor of N and M: 0/1 with every other, 0/2 with 2/4, not with 1/4.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from math import gcd
from pathlib import Path
from typing import IO

from bench.errors import BenchError
from bench.store.disk import writing

Shard = tuple[int, int]  # (K, N)


def overlap(one: Shard, other: Shard) -> bool:
    """Whether the prompts K, K + N, K + 2N … of both have one in common, in a list long enough."""
    common = gcd(one[1], other[1])
    return one[0] % common == other[0] % common


def _take(file: IO[str], folder: Path, wait: bool = False) -> bool:
    """Hold the file, if nobody does or when it is let go of. BenchError where locks are unknown."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        raise BenchError(
            f"the file system of {folder} has no locks ({error.strerror}), without which two "
            "processes could write one cell: set results to a folder elsewhere"
        ) from None
    return True


@contextmanager
def gate(folder: Path) -> Iterator[None]:
    """One process at a time, whatever its shard; others wait."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "gate").open("w")
    with file:
        _take(file, folder, wait=True)
        yield


@contextmanager
def holding(folder: Path, shard: Shard) -> Iterator[None]:
    """Hold a shard, its lock's file in ``folder``.

    Raises BenchError where another process holds this shard or one that shares a prompt with it.
    """
    with ExitStack() as stack:
        with gate(folder):
            for path in sorted(folder.glob("*-of-*")):
                number, _, count = path.name.partition("-of-")
                other = int(number), int(count)
                if other != shard and overlap(shard, other):
                    with path.open("w") as file:
                        if not _take(file, folder):
                            raise _busy(folder, other)
            with writing(folder):
                mine = (folder / f"{shard[0]}-of-{shard[1]}").open("w")
            if not _take(stack.enter_context(mine), folder):
                raise _busy(folder, shard)
        yield


def _busy(folder: Path, shard: Shard) -> BenchError:
    which = "" if shard == (0, 1) else f" (shard {shard[0]}/{shard[1]})"
    return BenchError(
        f"another process is writing {folder.parent}{which}: let it finish, or take a shard of "
        "other prompts"
    )
