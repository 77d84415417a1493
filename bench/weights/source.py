"""A pinned place on the hub: found on this machine without a network, or fetched on request.

Files live in the hub's own cache (HF_HOME), so other programs share them. Nothing here reaches
for the network but ``fetch``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench.errors import BenchError, reason_of
from bench.weights.files import check_file, missing_shards


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

    def remedy(self, words: str = "BACKBONE") -> str:
        """What to do where it is missing; ``words``: what follows `fetch` on the command line."""
        return (
            f"fetch them once with `python -m bench.weights fetch {words}` ({self.gb:g} GB of "
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


def locate(source: Source, what: str, words: str = "BACKBONE") -> Path:
    """The folder of ``source`` on this machine, its files whole. Raises BenchError, with what to
    fetch and where it will go, where it is not; ``what`` names it in the message, ``words`` as
    ``Source.remedy``."""
    folder = found(source)
    if folder is None:
        raise BenchError(f"the weights of {what} are not on this machine: {source.remedy(words)}")
    for path in matching(source, folder):
        check_file(path, f"delete it and {source.remedy(words)}")
    return folder


def matching(source: Source, folder: Path) -> list[Path]:
    """The files of a snapshot that ``source`` names."""
    held = sorted(p for p in folder.rglob("*") if p.is_file())
    names = [(p, p.relative_to(folder).as_posix()) for p in held]
    return [p for p, name in names if any(fnmatch(name, pattern) for pattern in source.files)]


def fetch(source: Source, what: str) -> Path:
    """Download what is missing of ``source``. Raises BenchError with what to do where it fails."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    said = {
        GatedRepoError: "is gated: accept its licence on its page of the hub, log in with "
        "`hf auth login`, and fetch again",
        RepositoryNotFoundError: "is unknown to the hub, or not for you: log in with `hf auth "
        "login`, or name another repo in the config",
        RevisionNotFoundError: f"has no revision {source.revision}: name another revision in the "
        "config",
    }
    try:
        snapshot_download(source.repo, revision=source.revision, allow_patterns=[*source.files])
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        otherwise = (
            "could not be fetched: the hub was not reached or the disk is full "
            f"({reason_of(error)}); what has arrived is kept, and the same command goes on"
        )
        why = next((text for kind, text in said.items() if isinstance(error, kind)), otherwise)
        raise BenchError(f"{source.repo} ({what}) {why}") from None
    return locate(source, what)
