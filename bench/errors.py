"""Errors that a user can mend: one clear message, no traceback."""


class BenchError(ValueError):
    """What was wrong, and what would be right."""
