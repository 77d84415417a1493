"""A pinned place on the hub, and its files on this machine; no network is asked.

Files live in the hub's own cache (HF_HOME), so other programs share them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.weights.files import check_file, has_sum, missing_shards, stored_sum

USUAL = "sd15"  # a backbone that all published rewards and the judge go with


@dataclass(frozen=True)
class Source:
    """``files`` (patterns) of ``repo`` at the commit ``revision``; ``gb`` is their size."""

    repo: str
    revision: str
    files: tuple[str, ...]
    gb: float

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Source:
        """From a config's mapping with the keys repo, revision, files and gb."""
        given = {key: settings[key] for key in ("repo", "revision", "gb")}
        return cls(files=tuple(settings["files"]), **given)

    @property
    def name(self) -> str:
        return f"{self.repo}@{self.revision[:12]}"

    def remedy(self, words: str = USUAL) -> str:
        """What to do where it is missing; ``words``: what follows `fetch` on the command line."""
        return (
            f"fetch them with `python -m bench.weights fetch {words}` ({self.gb:g} GB of "
            f"{self.name} among them, into {cache()}), or name a folder or file that holds them "
            "as the weights of this part in the config"
        )


def cache() -> Path:
    """The hub's cache folder; the environment variable HF_HOME moves it."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def found(source: Source) -> Path | None:
    """The local snapshot's folder, None unless every pattern has a file."""
    from huggingface_hub.file_download import repo_folder_name

    folder = cache() / repo_folder_name(repo_id=source.repo, repo_type="model")
    commit = source.revision
    if (reference := folder / "refs" / commit).is_file():  # a branch, where a user overrides
        commit = reference.read_text().strip()
    snapshot = folder / "snapshots" / commit
    held = [p.relative_to(snapshot).as_posix() for p in snapshot.rglob("*") if p.is_file()]
    whole = all(any(fnmatch(name, pattern) for name in held) for pattern in source.files)
    if not held or not whole:
        return None
    return None if missing_shards(matching(source, snapshot)) else snapshot


def mark_of(source: Source, folder: Path) -> str:
    """The repository and the commit that is really there: what a result was made with."""
    return f"{source.repo}@{folder.name}"


def locate(source: Source, what: str, words: str = USUAL) -> Path:
    """The folder of ``source`` on this machine, its files whole. Raises BenchError, with what to
    fetch and where it will go, where it is not; ``what`` names it in the message, ``words`` as
    ``Source.remedy``."""
    folder = found(source)
    if folder is None:
        raise BenchError(f"the weights of {what} are not on this machine: {source.remedy(words)}")
    for path in matching(source, folder):
        check_file(path, source.remedy(words))
    return folder


def matching(source: Source, folder: Path) -> list[Path]:
    """The files of a snapshot that ``source`` names."""
    held = sorted(p for p in folder.rglob("*") if p.is_file())
    names = [(p, p.relative_to(folder).as_posix()) for p in held]
    return [p for p, name in names if any(fnmatch(name, pattern) for pattern in source.files)]


def damaged(source: Source, folder: Path) -> Path | None:
    """The first file of a snapshot whose checksum is not the hub's; every byte is read."""
    sums = ((path, stored_sum(path)) for path in matching(source, folder))
    return next((path for path, known in sums if known and not has_sum(path, known)), None)
