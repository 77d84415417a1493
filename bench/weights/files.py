"""Weight files: whole or damaged, read without running what is in them, loaded key by key."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchError, reason_of

if TYPE_CHECKING:
    from torch import Tensor, nn

PICKLED = (".pt", ".pth", ".bin", ".ckpt")
SHOWN = 4  # keys named in a message


def check_file(path: Path, remedy: str) -> None:
    """Raise BenchError, ending in ``remedy``, where a file is missing, cut short or damaged.

    A safetensors file's header tells its length; a pickled checkpoint is a ZIP archive with its
    directory at the end. Other files need only be there.
    """
    if not path.is_file():
        raise BenchError(f"the file {path} is missing: {remedy}")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                file.keys()
        except (SafetensorError, OSError) as error:
            raise BenchError(
                f"the file {path} is cut short or damaged ({error}): {remedy}"
            ) from None
    elif path.suffix in PICKLED and not zipfile.is_zipfile(path):
        raise BenchError(f"the file {path} is cut short or no checkpoint of torch: {remedy}")


def missing_shards(files: Iterable[Path]) -> list[Path]:
    """Files that an index of a checkpoint in several files names and that are not there."""
    missing = []
    for index in files:
        if index.name.endswith(".index.json"):
            named = set(json.loads(index.read_text()).get("weight_map", {}).values())
            missing += [index.parent / name for name in sorted(named)]
    return [path for path in missing if not path.is_file()]


def read_tensors(path: Path, remedy: str) -> dict[str, Tensor]:
    """A checkpoint's tensors by key, on the CPU: safetensors, or torch.load(weights_only=True)."""
    check_file(path, remedy)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    import pickle

    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = reason_of(error)
        raise BenchError(
            f"the file {path} holds more than tensors, or is damaged ({reason}): {remedy}"
        ) from None
    for wrapper in ("state_dict", "module", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise BenchError(f"the file {path} is no mapping of names to tensors: {remedy}")
    return state


def complain(
    where: str,
    *,
    missing: Iterable[str] = (),
    unknown: Iterable[str] = (),
    reshaped: Iterable[str] = (),
) -> None:
    """Raise BenchError, naming the first of each kind, unless a checkpoint fits its network."""
    kinds = {"missing": missing, "unknown": unknown, "of other shape": reshaped}
    problems = []
    for verb, keys in kinds.items():
        if named := sorted(keys):
            more = " …" if len(named) > SHOWN else ""
            count = f"{len(named)} key{'s' if len(named) > 1 else ''}"
            problems.append(f"{count} {verb}: {', '.join(named[:SHOWN])}{more}")
    if problems:
        raise BenchError(f"{where} does not fit its network: {'; '.join(problems)}")


def fill(module: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Load ``state`` into ``module``, every key and shape accounted for. Raises BenchError."""
    own = module.state_dict()
    shapes = [k for k in own.keys() & state.keys() if own[k].shape != state[k].shape]
    complain(
        where, missing=own.keys() - state.keys(), unknown=state.keys() - own.keys(), reshaped=shapes
    )
    module.load_state_dict(dict(state))


def digest(paths: Iterable[Path]) -> str:
    """sha256 over the files' contents, in the given order."""
    total = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(1 << 24):
                total.update(chunk)
    return total.hexdigest()


def stored_sum(path: Path) -> str | None:
    """The checksum by which the hub's cache names a file, None for a file that is no link to it."""
    name = Path(os.readlink(path)).name if path.is_symlink() else ""
    return name if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", name) else None


def has_sum(path: Path, expected: str) -> bool:
    """Whether a file's checksum is the hub's: sha256, or in 40 digits the sha1 of git's blob."""
    if len(expected) == 64:
        return digest([path]) == expected
    content = path.read_bytes()
    header = b"blob %d\0" % len(content)
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest() == expected
