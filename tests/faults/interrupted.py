"""Runs of a cell that are killed and started again, in forks of this process: imports cost once."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from bench.run.cells import run_cell
from bench.store.records import read_records
from bench.store.schema import canonical

Before = Callable[[], None]


def nothing() -> None:
    pass


def start(cell: Any, results: Path, before: Before = nothing) -> int:
    """A process that runs the cell, ``before`` called in it first; its id. It ends with code 0."""
    pid = os.fork()
    if pid:
        return pid
    code = 3
    try:
        before()
        run_cell(cell, results, nothing, lambda note: None)
        code = 0
    finally:
        os._exit(code)


def recorded(results: Path) -> int:
    """Lines of the cell's records.jsonl."""
    files = results.glob("cells/*/records.jsonl")
    return sum(file.read_bytes().count(b"\n") for file in files)


def killed_after(cell: Any, results: Path, prompts: int, seconds: float) -> bool:
    """Whether kill -9 came before the run's end: ``seconds`` after its ``prompts``-th record."""
    goal = recorded(results) + prompts
    pid = start(cell, results)
    status = (0, 0)
    while recorded(results) < goal and status == (0, 0):
        time.sleep(0.002)
        status = os.waitpid(pid, os.WNOHANG)
    if status == (0, 0):
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status[1])


def killed_at(cell: Any, results: Path, call: int) -> bool:
    """Whether the run was killed, by itself, at its ``call``-th flush or renaming of a file."""

    def before() -> None:
        left = call

        def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
            def wrapped(*arguments: Any) -> Any:
                nonlocal left
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments)

            return wrapped

        os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)

    return os.WIFSIGNALED(os.waitpid(start(cell, results, before), 0)[1])


def finish(cell: Any, results: Path) -> Path:
    """Run the cell to its end; its folder."""
    status = os.waitpid(start(cell, results), 0)[1]
    assert os.waitstatus_to_exitcode(status) == 0
    (folder,) = (results / "cells").iterdir()
    return folder


def kill_at_random_moments(
    cell: Any, results: Path, moments: int, seconds: float, seed: int
) -> tuple[list[Path], list[int]]:
    """Kill ``moments`` runs, then let one end; the finished folders, and the records at each kill.

    A kill comes 0 to ``seconds`` after the start or after one or two more prompts. Where the cell
    was done by then, that was no kill, and the next run begins in a new folder.
    """
    draw, kills = Random(seed), []
    places = [results / "0"]
    while len(kills) < moments:
        if killed_after(cell, places[-1], draw.randrange(3), draw.uniform(0, seconds)):
            kills.append(recorded(places[-1]))
        else:
            places.append(results / str(len(places)))
    return [finish(cell, place) for place in places], kills


def state(folder: Path) -> dict[str, Any]:
    """What must not depend on interruptions: canonical records in their order, every other file."""
    lines = (folder / "records.jsonl").read_text().splitlines()
    found = read_records(folder / "records.jsonl")
    assert not found.torn and len(found.by_index) == len(lines)
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.parent.name != ".locks"
    }
    del files["records.jsonl"], files["config.yaml"]  # its load_seconds is the clock's
    return files | {"records": [json.dumps(canonical(record)) for record in found]}
