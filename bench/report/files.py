"""A document -> report.html, report.md, tables/ and figures/ of a results folder."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.report import markdown, style, svg, web
from bench.report.document import Document, Gallery, Picture, Table
from bench.report.latex import latex

PAGES = ("report.html", "report.md")


def write(document: Document, folder: Path) -> tuple[Path, Path]:
    """Write everything; returns the paths of report.html and report.md.

    tables/ and figures/ belong to the report: what an earlier one left there is removed.
    """
    tables, figures = _emptied(folder / "tables"), _emptied(folder / "figures")
    drawn = {}
    for part in document.parts():
        if isinstance(part, Table):
            _write_table(part, tables)
        elif isinstance(part, Picture) and part.figure is not None:
            style.save(part.figure, figures / f"{part.name}.pdf")
            style.save(part.figure, figures / f"{part.name}.png")
            drawn[part.name] = svg.inline(part.figure, part.name)
        elif isinstance(part, Gallery):
            part.sheet.save(figures / f"{part.name}.png")
    page, source = (folder / name for name in PAGES)
    page.write_text(web.render(document, drawn), encoding="utf-8")
    source.write_text(markdown.render(document), encoding="utf-8")
    return page, source


def _write_table(table: Table, folder: Path) -> None:
    full: pd.DataFrame = table.shown if table.full is None else table.full
    full.to_csv(folder / f"{table.name}.csv", index=False)
    (folder / f"{table.name}.md").write_text(
        markdown.table(table.shown, table.prose), encoding="utf-8"
    )
    (folder / f"{table.name}.tex").write_text(latex(table), encoding="utf-8")


def _emptied(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.suffix in (".csv", ".md", ".tex", ".png", ".pdf"):
            path.unlink()
    return folder
