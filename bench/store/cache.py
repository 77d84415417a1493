"""A folder of tensors that are dear to make again, by what decides them; bounded in size.

An entry is one safetensors file, named by the hash of its key and sealed by a digest of its
tensors. It is written aside and renamed, so that several processes may share the folder. Losing an
entry costs time and changes no result: what cannot be read is made again, and what cannot be
written is not kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Cache:
    """Entries below ``folder`` that take at most ``limit`` bytes together."""

    folder: Path
    limit: int

    def path(self, key: Mapping[str, Any]) -> Path:
        text = json.dumps(key, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}{SUFFIX}"

    def get(self, key: Mapping[str, Any]) -> tuple[list[Tensor], dict[str, Any]] | None:
        """An entry's tensors, on the CPU, and its note; None where there is none that is whole."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path(key), framework="pt") as file:
                found = file.metadata()
                tensors = [file.get_tensor(name) for name in sorted(file.keys())]
            if found["key"] != json.dumps(key, sort_keys=True) or found["seal"] != seal(tensors):
                return None
            return tensors, json.loads(found["note"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError):
            return None

    def put(
        self, key: Mapping[str, Any], tensors: Sequence[Tensor], note: Mapping[str, Any]
    ) -> None:
        """Keep an entry; others make room for it where they must."""
        from safetensors.torch import save

        tensors = [tensor.detach().cpu().contiguous() for tensor in tensors]
        about = {"key": json.dumps(key, sort_keys=True), "note": json.dumps(note)}
        names = [f"{place:03d}" for place in range(len(tensors))]
        content = save(dict(zip(names, tensors, strict=True)), about | {"seal": seal(tensors)})
        path = self.path(key)
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not self._room(path.name, len(content)):
                return
            aside = path.with_name(f".{os.getpid()}-{path.name}")
            try:
                aside.write_bytes(content)
                os.replace(aside, path)
            finally:
                aside.unlink(missing_ok=True)

    def _room(self, name: str, size: int) -> bool:
        """Delete entries until ``size`` bytes fit: those that follow ``name``, in a circle.

        Names are hashes, so this takes entries at random. To delete the one that was not used for
        longest would be wrong: cells walk through the same prompts in the same order, and it would
        always be the one that is needed next.
        """
        entries = sorted(self.folder.glob(f"*{SUFFIX}"))
        sizes = {entry: entry.stat().st_size for entry in entries}
        over = sum(sizes.values()) + size - self.limit
        for entry in sorted(entries, key=lambda entry: (entry.name <= name, entry.name)):
            if over <= 0 or size > self.limit:
                break
            entry.unlink(missing_ok=True)
            over -= sizes[entry]
        return over <= 0


def seal(tensors: Sequence[Tensor]) -> str:
    """A digest of the tensors' bytes."""
    import torch

    total = hashlib.sha256()
    for tensor in tensors:
        total.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
