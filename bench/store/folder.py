"""Records on disk: one folder a cell, one line a prompt, nothing lost on a crash.

cells/<method>-<id>/config.yaml             the resolved settings, sealed (`bench.store.config`)
cells/<method>-<id>/records.jsonl           one sealed line a prompt (`bench.store.schema`)
cells/<method>-<id>/images/00017/metadata.jsonl, samples/0000.png …    GenEval's own layout
                                            (the mixture's points: samples.npy)
cells/<method>-<id>/errors/00017.txt        why a prompt failed, with its traceback
cells/<method>-<id>/.locks/                 who is writing

Images are written aside (.partial-00017), flushed, then renamed; their record, with their digests,
is appended after that. So a record's images are whole, or someone has touched them since: both are
seen on resume.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import BenchError
from bench.geneval.prompts import Metadata
from bench.store.config import describe
from bench.store.disk import publish, sha256, writing
from bench.store.locks import Shard, gate, holding
from bench.store.records import append_record, read_records
from bench.store.schema import Record

Say = Callable[[str], None]


class CellStore:
    """One cell's folder, open for appending. ``say`` is told what a user should know."""

    def __init__(self, folder: Path, say: Say = print):
        self.folder = folder
        self.records_path = folder / "records.jsonl"
        self._say = say

    def locked(self, shard: Shard = (0, 1)) -> AbstractContextManager[None]:
        """Hold one shard of the cell for writing; shards of other prompts may be written meanwhile.

        Raises BenchError where another process holds one of its prompts.
        """
        return holding(self.folder / ".locks", shard)

    def describe(self, config: Mapping[str, Any]) -> list[str]:
        """Write config.yaml or hold it against ``config``, see there; one shard at a time."""
        with gate(self.folder / ".locks"):
            return describe(self.folder / "config.yaml", config)

    def done(self, among: Collection[int] | None = None) -> set[int]:
        """Prompts, ``among`` these, that need not be sampled again: recorded without error, and
        their images as they were. Says why a recorded prompt is not among them. Raises BenchError
        where a record is damaged, was changed, or carries no seal."""
        records = read_records(self.records_path)
        if records.unsealed:
            raise BenchError(
                f"{self.records_path}: lines without a seal: {records.unsealed}; an earlier "
                "version wrote them, and nothing tells whether they were changed since; delete "
                f"{self.folder}, and the same command makes it anew"
            )
        if records.torn:
            self._say(
                f"{self.records_path}: the last line is cut off or damaged; its prompt is made anew"
            )
        finished = set()
        for index, record in records.finished.items():
            if among is not None and index not in among:
                continue
            if damage := self._damage(record):
                self._say(f"{self.folder}/images/{damage}: prompt {index} is sampled again")
            else:
                finished.add(index)
        return finished

    def _damage(self, record: Record) -> str:
        """ "" where the images are those of the record, else which is not and why."""
        if len(record.sha256) != len(record.images):
            return f"{record.index:05d} was recorded without digests of its images"
        for name, digest in zip(record.images, record.sha256, strict=True):
            path = self.folder / "images" / name
            if not path.is_file():
                return f"{name} is missing"
            if sha256(path) != digest:
                return f"{name} is not the image that was recorded"
        metadata = f"{record.index:05d}/metadata.jsonl"
        return "" if (self.folder / "images" / metadata).is_file() else f"{metadata} is missing"

    def write_images(
        self, index: int, metadata: Metadata, delivered: np.ndarray
    ) -> tuple[list[str], list[str]]:
        """Save a prompt's images in GenEval's layout, or its points.

        Their paths below ``images``, and their sha256; all whole on the disk. Raises DiskError.
        """
        from bench.store.images import write  # here: it needs torch, and a report does not

        name = f"{index:05d}"
        staged = self.folder / f".partial-{name}"
        with writing(self.folder / "images" / name):
            shutil.rmtree(staged, ignore_errors=True)  # a crash left it
            staged.mkdir()
            (staged / "metadata.jsonl").write_text(json.dumps(metadata) + "\n")
            names = write(staged, delivered)
            digests = [sha256(staged / n) for n in names]
            publish(staged, self.folder / "images" / name)
        return [f"{name}/{n}" for n in names], digests

    def write_error(self, index: int, text: str) -> str:
        """Save a failed prompt's traceback; its path below the cell's folder."""
        name = f"errors/{index:05d}.txt"
        path = self.folder / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return name

    def append(self, record: Record) -> None:
        """Add a record; on disk when this returns. NaN is refused: it is not JSON."""
        append_record(self.records_path, record)
        if record.error is None:
            (self.folder / "errors" / f"{record.index:05d}.txt").unlink(missing_ok=True)
