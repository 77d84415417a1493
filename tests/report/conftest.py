"""Synthetic results folders, and their records."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import synthetic

from bench.report.document import Section


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for method in ("vanilla", "lidar", "ug"):
        synthetic.cell(tmp_path, method)
    return tmp_path


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports without figures, which take most of a report's time."""
    none = Section("Figures", ())
    monkeypatch.setattr("bench.report.sections.figure_section", lambda *_: none)
    monkeypatch.setattr("bench.report.sections.cost_figures", lambda *_: [])


@pytest.fixture(scope="session")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A full set of cells with its report, built once: to be read only."""
    from bench.report.build import build

    folder = tmp_path_factory.mktemp("swept")
    synthetic.sweep(folder)
    build(folder)
    return folder
