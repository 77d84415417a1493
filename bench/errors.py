"""Errors that a user can mend: one clear message, no traceback."""


class BenchError(Exception):
    """What was wrong, and what would be right."""
