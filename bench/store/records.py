"""records.jsonl: one line a prompt, appended; a line cut off by a crash costs its prompt alone."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.store.disk import sync, writing


def _parse(line: bytes) -> dict[str, Any] | None:
    """A line's record, None where it is not one."""
    try:
        record = json.loads(line)
        int(record["index"])
    except (ValueError, KeyError, TypeError):
        return None
    return record if isinstance(record, dict) else None


def _sound(content: bytes) -> int:
    """Length of the content without what a crash left of its last line.

    That has no newline, or after a power cut one, but anything before it.
    """
    end = content.rfind(b"\n") + 1
    begin = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
    whole = end < len(content) or _parse(content[begin:end]) is not None
    return end if whole else begin


def read_records(path: Path) -> tuple[dict[int, dict[str, Any]], bool]:
    """Records by prompt index, the last of an index counting; whether a torn line was left out.

    A last line that is not a record was cut off while being written. Any other such line raises
    BenchError with file and line.
    """
    content = path.read_bytes() if path.exists() else b""
    sound = _sound(content)
    records = {}
    for number, line in enumerate(content[:sound].split(b"\n")[:-1], start=1):
        record = _parse(line)
        if record is None:
            raise BenchError(
                f"{path}, line {number}, is not a record; delete that line and run the same "
                "command again to make it anew"
            )
        records[int(record["index"])] = record
    return records, sound < len(content)


def encode(record: Mapping[str, Any]) -> bytes:
    """A record's line. Raises ValueError for NaN and TypeError for objects: they are not JSON."""
    return json.dumps(record, allow_nan=False).encode() + b"\n"


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Add a record; on disk when this returns, and no part of it there when it raises DiskError.

    Shards share the file: each append holds it, and first cuts off what a crash left of a line, so
    that the new one does not join it.
    """
    line = encode(record)
    # Unbuffered: what the disk refuses must not be tried again when the file is closed.
    with writing(path), path.open("a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        end = _sound(file.read())
        file.truncate(end)
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[file.write(rest) :]
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(end)
            raise
    if end == 0:
        with writing(path):
            sync(path.parent)
