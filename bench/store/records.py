"""records.jsonl: one sealed line a prompt, appended; a line cut off by a crash costs its prompt."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from bench.errors import BenchError
from bench.store.disk import sync, writing
from bench.store.schema import Record, parse

SEAL = b', "seal": "'
REMEDY = "delete that line and run the same command again to make it anew"


@dataclass(frozen=True)
class Records:
    """A cell's records by prompt index, the last of an index counting. ``torn``: whether the last
    line was cut off, and left out; ``unsealed``: how many lines carry no seal, as those of earlier
    versions."""

    by_index: dict[int, Record] = field(default_factory=dict)
    torn: bool = False
    unsealed: int = 0

    def __iter__(self) -> Iterator[Record]:
        return iter(self.by_index.values())

    @property
    def finished(self) -> dict[int, Record]:
        return {index: record for index, record in self.by_index.items() if record.error is None}


def digest(content: bytes) -> str:
    """The seal of what was written: 16 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()[:16]


def sealed(body: bytes) -> bytes:
    """A JSON object with the seal of its text as its last key."""
    return body[:-1] + SEAL + digest(body).encode() + b'"}'


def encode(record: Record) -> bytes:
    """A record's line. Raises ValueError for NaN and TypeError for objects: they are not JSON."""
    return sealed(json.dumps(record.plain(), allow_nan=False).encode()) + b"\n"


def _object(line: bytes) -> dict[str, Any] | None:
    """A line's JSON object, None where it is none of a prompt's."""
    try:
        found = orjson.loads(line)
        int(found["index"])
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, dict) else None


def _sound(content: bytes) -> int:
    """Length of the content without what a crash left of its last line.

    That has no newline, or after a power cut one, but anything before it.
    """
    end = content.rfind(b"\n") + 1
    begin = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
    whole = end < len(content) or _object(content[begin:end]) is not None
    return end if whole else begin


def read_records(path: Path) -> Records:
    """A cell's records; none where there is no file.

    A last line that is no JSON object was cut off while being written. Any other such line, one
    that was changed since it was written, and a record that makes no sense raise BenchError with
    file and line.
    """
    content = path.read_bytes() if path.exists() else b""
    sound = _sound(content)
    found, unsealed = {}, 0
    for number, line in enumerate(content[:sound].split(b"\n")[:-1], start=1):
        where, values = f"{path}, line {number}", _object(line)
        if values is None:
            raise BenchError(f"{where}, is not a record; {REMEDY}")
        if values.pop("seal", None) is None:
            unsealed += 1
        elif line != sealed(line[: line.rfind(SEAL)] + b"}"):
            raise BenchError(f"{where}, was changed since it was written; put it back, or {REMEDY}")
        try:
            record = parse(values)
        except ValueError as error:
            raise BenchError(f"{where}, prompt {values['index']}: {error}; {REMEDY}") from None
        found[int(record.index)] = record
    return Records(found, sound < len(content), unsealed)


def _tail(file: IO[bytes]) -> tuple[int, bytes]:
    """An offset in the file, at most that of its last line, and what follows it."""
    size, length = file.seek(0, os.SEEK_END), 1 << 16
    while True:
        begin = max(size - length, 0)
        file.seek(begin)
        content = file.read()
        if begin == 0 or content.count(b"\n") > 1:
            return begin, content
        length *= 4


def append_record(path: Path, record: Record) -> None:
    """Add a record; on disk when this returns, and no part of it there when it raises DiskError.

    Shards share the file: each append holds it, and first cuts off what a crash left of a line, so
    that the new one does not join it.
    """
    line = encode(record)
    # Unbuffered: what the disk refuses must not be tried again when the file is closed.
    with writing(path), path.open("a+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        begin, content = _tail(file)
        end = begin + _sound(content)
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
