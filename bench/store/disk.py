"""Files that are whole or not there, and a disk's refusal in words."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

from bench.errors import BenchError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskError(BenchError):
    """Nothing more can be written: the run stops, whatever cell it is at."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Let an OSError of the file system reach the user as a DiskError that names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            what = f"no space left for {path} ({error.strerror}): free some"
        else:
            what = f"cannot write {path} ({error.strerror or error}): mend that"
        raise DiskError(
            f"{what} and run the same command again; what is recorded is whole, and it goes on "
            "from there"
        ) from None


def check_writable(folder: Path) -> None:
    """Make a folder, and see that a file can be made in it. Raises DiskError."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass


def sync(path: Path) -> None:
    """Bring a file, or a folder's list of names, to the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_text(path: Path, text: str) -> None:
    """Write ``path`` anew: a reader, or a crash, finds the old text or the new one.

    Not for two processes at once.
    """
    aside = path.with_name(f".partial-{path.name}")
    aside.write_text(text, encoding="utf-8")
    sync(aside)
    os.replace(aside, path)
    sync(path.parent)


def publish(staged: Path, folder: Path) -> None:
    """Move every file below ``staged`` to its place below ``folder``, each whole at any moment."""
    files = sorted(path for path in staged.rglob("*") if path.is_file())
    for file in files:
        sync(file)
    targets = {file: folder / file.relative_to(staged) for file in files}
    for target in targets.values():
        target.parent.mkdir(parents=True, exist_ok=True)
    for file, target in targets.items():
        os.replace(file, target)
    for parent in {target.parent for target in targets.values()} | {folder, folder.parent}:
        sync(parent)
    shutil.rmtree(staged)


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
