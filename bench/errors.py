"""Errors that a user can mend: one clear message, no traceback."""

from collections.abc import Iterator
from contextlib import contextmanager


class BenchError(ValueError):
    """What was wrong, and what would be right."""


@contextmanager
def explained() -> Iterator[None]:
    """Let a ValueError or a missing file, whose message says what to do, reach the user as such."""
    try:
        yield
    except (ValueError, FileNotFoundError) as error:
        raise BenchError(str(error)) from None


def reason_of(error: BaseException) -> str:
    """The first line of what an error says, or else its type."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
