"""A synthetic results folder, and its records."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import synthetic


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for method in ("vanilla", "lidar", "ug"):
        synthetic.cell(tmp_path, method)
    return tmp_path
