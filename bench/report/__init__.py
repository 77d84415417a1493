"""Records -> evidence: tables, figures and an image grid of one results folder."""

from __future__ import annotations

from pathlib import Path


def build(folder: Path) -> Path:
    """Write every table and figure of ``folder`` into it; returns the path of its report.md.

    Raises FileNotFoundError where there is no cell, ValueError where the records make no sense.
    """
    from bench.report.page import build as build_page  # matplotlib and pandas load only here

    return build_page(folder)
