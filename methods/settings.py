"""Range checks for settings, with messages that name the key and the allowed values."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a list of what there is needs no torch
    from methods.interfaces import Level


ROUNDING = 1e-9  # of t/T: 1 - 7/10 is 0.3


def at_least(key: str, value: float, low: float) -> None:
    """Raise ValueError unless value is a finite number >= low."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not isfinite(value) or value < low:
        raise ValueError(f"{key} must be a number >= {low:g}, got {value!r}")


def above(key: str, value: float, low: float) -> None:
    """Raise ValueError unless value is a finite number > low."""
    at_least(key, value, low)
    if value == low:
        raise ValueError(f"{key} must be above {low:g}, got {value!r}")


def whole(key: str, value: int, low: int) -> None:
    """Raise ValueError unless value is an integer >= low."""
    if not isinstance(value, int) or isinstance(value, bool) or value < low:
        raise ValueError(f"{key} must be an integer >= {low}, got {value!r}")


def one_of(key: str, value: str, allowed: Sequence[str]) -> None:
    """Raise ValueError, suggesting the nearest name, unless value is among ``allowed``."""
    if value not in allowed:
        near = get_close_matches(str(value), allowed, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{key} must be one of {', '.join(allowed)}, got {value!r}{hint}")


def interval(key: str, value: Sequence[float]) -> None:
    """Raise ValueError unless value is (low, high) with 0 <= low < high <= 1."""
    if len(value) != 2 or not 0 <= value[0] < value[1] <= 1:
        raise ValueError(f"{key} must be [low, high] with 0 <= low < high <= 1, got {list(value)}")


def within(span: Sequence[float], level: Level) -> bool:
    """Whether a level's t/T lies in (low, high], up to rounding."""
    return span[0] + ROUNDING < level.fraction <= span[1] + ROUNDING
