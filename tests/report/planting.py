"""Cells of planted effects, for tests of verdicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import synthetic

from bench.report.evidence import Evidence, gather
from bench.report.load import load

NOWHERE = Path("nowhere.csv")


def evidence(folder: Path, estimators: Path = NOWHERE) -> Evidence:
    return gather(load(folder), estimators)


def plant(
    folder: Path, kind: str, *, name: str | None = None, method: Any = None, **effect: float
) -> None:
    """A cell of 96 prompts: ``right``, ``gain``, ``judge``, ``diversity``, ``ratio``."""
    values = {"right": 0.5, "gain": 0.0, "judge": 0.0, "diversity": 0.3, "ratio": 1.0} | effect
    changes: dict[str, Any] = {"effect": tuple(values.values()), "total": 96, "pictures": False}
    synthetic.cell(folder, kind, name=name, method=method or {"name": kind}, **changes)


def date(folder: Path, every: int, right: float, ratio: float) -> None:
    settings = {"name": "date", "steer": {"embedding": {"every": every}}}
    plant(folder, "date", name=f"date{every}", method=settings, right=right, ratio=ratio)


def lidar(folder: Path, n: int = 50, **effect: float) -> None:
    plant(folder, "lidar", name=f"lidar{n}", method=synthetic.lidar(n=n), **effect)


def best_of_n(folder: Path, n: int, **effect: float) -> None:
    settings = {"name": "best_of_n", "steer": {"best_of_n": {"n": n}}}
    plant(folder, "best_of_n", name=f"bon{n}", method=settings, **effect)
