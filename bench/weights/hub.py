"""Downloads from the hub into its own cache, taken up where they broke off and checked.

The hub names each file's checksum, and its cache names the file by it: sha256 for large files,
git's own sum for small ones. This is the only module that asks a network.
"""

from __future__ import annotations

import errno
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from bench.errors import BenchError, reason_of
from bench.weights.files import has_sum
from bench.weights.source import Source, cache, damaged, found, locate


def fetch(source: Source, what: str, key: str) -> Path:
    """Download what is missing or damaged of ``source``; its folder.

    ``what`` names it in messages; ``key`` is where the configuration has it, such as
    backbone.source. Raises BenchError with what to do where the download fails.
    """
    folder = found(source)
    if folder is not None and damaged(source, folder) is None:
        return folder
    try:
        _download(source, key)
    except BenchError as error:
        raise BenchError(f"{source.repo} ({what}) {error}") from None
    except Exception as error:  # of an HTTP library that differs between versions of the hub's
        raise BenchError(f"{source.repo} ({what}) {_why(error, source, key)}") from None
    return locate(source, what)


def _download(source: Source, key: str) -> None:
    """Fill the cache's blobs, then let the hub's library link them into a snapshot: what is in a
    snapshot is whole, whenever the process ends."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # the library's notices of each attempt; what remains is raised
    listed = HfApi().model_info(source.repo, revision=source.revision, files_metadata=True)
    files = listed.siblings or []
    for pattern in source.files:
        if not any(fnmatch(file.rfilename, pattern) for file in files):
            raise BenchError(
                f"has no file {pattern} at revision {source.revision}: name others as {key}.files"
            )
    place = repo_folder_name(repo_id=source.repo, repo_type="model")
    for file in files:
        if any(fnmatch(file.rfilename, pattern) for pattern in source.files):
            _get(source, str(listed.sha), file, cache() / place)
    snapshot_download(source.repo, revision=source.revision, allow_patterns=[*source.files])


def _get(source: Source, commit: str, file: Any, place: Path) -> None:
    """One file as a blob of the cache, from where an earlier download broke off."""
    from huggingface_hub import hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        WeakFileLock,
        build_hf_headers,
    )

    expected = file.lfs.sha256 if file.lfs else file.blob_id
    blob = place / "blobs" / expected
    lock = cache() / ".locks" / place.name / f"{expected}.lock"
    for folder in (blob.parent, lock.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if blob.is_file() and has_sum(blob, expected):
            return
        part = blob.with_name(f"{expected}.incomplete")
        if part.is_file() and part.stat().st_size > file.size:
            part.unlink()
        with part.open("ab") as target:
            http_get(
                hf_hub_url(source.repo, file.rfilename, revision=commit),
                target,
                resume_size=target.tell(),
                headers=build_hf_headers(),
                expected_size=file.size,
                displayed_filename=file.rfilename,
            )
        if not has_sum(part, expected):
            part.unlink()
            raise BenchError(
                f"sent {file.rfilename} damaged, with another checksum than the hub has for it: "
                "give the same command again"
            )
        part.replace(blob)


def _why(error: Exception, source: Source, key: str) -> str:
    """What went wrong with a download, and what to do."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    page = f"{constants.ENDPOINT}/{source.repo}"
    token = "set the environment variable HF_TOKEN to a token of your account, or `hf auth login`"
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if isinstance(error, GatedRepoError):
        return f"is gated: accept its licence at {page}, {token}, and give the same command again"
    if isinstance(error, RepositoryNotFoundError):
        return f"is unknown to the hub, or private: look at {page}, {token}, or set {key}.repo"
    if isinstance(error, RevisionNotFoundError):
        return f"has no revision {source.revision}: {_newest(source, key, page)}"
    if isinstance(error, EntryNotFoundError):
        return f"lacks a file ({reason_of(error)}): name its files as {key}.files"
    if status in (401, 403):
        return f"is refused to your token ({status}): {token}, one that may read {page}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"does not fit on the disk of {cache()}: make room, or set HF_HOME to another place"
    return (
        f"could not be fetched ({reason_of(error)}): what has arrived is kept, and the same "
        "command goes on from there"
    )


def _newest(source: Source, key: str, page: str) -> str:
    """How to go on where the pinned commit is gone."""
    from huggingface_hub import HfApi

    setting = f"{key}.revision"
    try:
        newest = HfApi().model_info(source.repo).sha
    except Exception:  # the first error is the one to tell
        return f"name one of {page}/commits/main as {setting}"
    return (
        f"its newest commit is {newest}; see {page}/commits/main for what changed, and to accept "
        f"it add {setting}={newest} to this command and to your runs"
    )
