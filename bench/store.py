"""Records on disk: one folder a cell, one line a prompt, nothing lost on a crash.

cells/<method>-<id>/config.yaml             the resolved settings
cells/<method>-<id>/records.jsonl           one JSON object a prompt, appended as it is done
cells/<method>-<id>/images/00017/metadata.jsonl, samples/0000.png …    GenEval's own layout
                                            (the mixture's points: samples.npy)
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from bench.errors import BenchError
from bench.geneval.prompts import Metadata


def read_records(path: Path) -> tuple[dict[int, dict[str, Any]], bool]:
    """Records by prompt index, the last of an index counting; whether a torn line was left out.

    A last line without its newline was cut off while being written. Any other line that is not a
    record raises BenchError with file and line.
    """
    if not path.exists():
        return {}, False
    records = {}
    *lines, rest = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            records[int(record["index"])] = record
        except (ValueError, KeyError, TypeError):
            raise BenchError(
                f"{path}, line {number}, is not a record; delete that line and run the same "
                "command again to make it anew"
            ) from None
    return records, bool(rest)


class CellStore:
    """One cell's folder, open for appending."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.records_path = folder / "records.jsonl"

    def done(self) -> set[int]:
        """Prompts that need not be sampled again: recorded without error, every image there."""
        records, _ = read_records(self.records_path)
        return {
            index
            for index, record in records.items()
            if record["error"] is None
            and all((self.folder / "images" / name).is_file() for name in record["images"])
        }

    def describe(self, config: Mapping[str, Any]) -> None:
        """Write config.yaml."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(dict(config))))

    @contextmanager
    def locked(self, shard: str = "0/1") -> Iterator[None]:
        """Hold one shard of the cell for writing; other shards may be written meanwhile.

        Raises BenchError where another process holds the shard.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"lock-{shard.replace('/', '-of-')}").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise BenchError(f"another process is writing {self.folder}") from None
            yield

    def write_images(self, index: int, metadata: Metadata, delivered: np.ndarray) -> list[str]:
        """Save a prompt's images in GenEval's layout, or its points; paths below ``images``."""
        from bench.images import write  # here: it needs torch, and a report does not

        folder = self.folder / "images" / f"{index:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metadata.jsonl").write_text(json.dumps(metadata) + "\n")
        return [f"{index:05d}/{name}" for name in write(folder, delivered)]

    def append(self, record: Mapping[str, Any]) -> None:
        """Add a record; on disk when this returns. NaN is refused: it is not JSON.

        Shards share the file: each append holds it, and first cuts off what a crash left of a
        line, so that the new one does not join it.
        """
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        with self.records_path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
