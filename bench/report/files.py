"""A document -> report.html, report.md, tables/ and figures/ of a results folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from bench.report import markdown, style, web
from bench.report.document import Document, Gallery, Picture, Table
from bench.report.latex import latex
from bench.store.disk import publish

PAGES = ("report.html", "report.md")
SUFFIXES = (".csv", ".md", ".tex", ".png", ".pdf")
STAGED = ".partial-report"


def write(document: Document, folder: Path) -> tuple[Path, Path]:
    """Write everything; returns the paths of report.html and report.md.

    Every file is whole at any moment. tables/ and figures/ belong to the report: what an earlier
    one left there is removed. Not for two processes at once (`bench.store.turns.reporting`).
    """
    staged = folder / STAGED
    shutil.rmtree(staged, ignore_errors=True)  # what a report that was cut off left
    tables, figures = staged / "tables", staged / "figures"
    for place in (tables, figures):
        place.mkdir(parents=True)
    drawn = {}
    for part in (part for section in document.sections for part in section.parts):
        if isinstance(part, Table):
            _write_table(part, tables)
        elif isinstance(part, Picture):
            style.save(part.figure, figures / f"{part.name}.pdf")
            drawn[part.name] = style.save(part.figure, figures / f"{part.name}.png").read_bytes()
        elif isinstance(part, Gallery):
            part.sheet.save(figures / f"{part.name}.png")
    page, source = PAGES
    (staged / page).write_text(web.render(document, drawn), encoding="utf-8")
    (staged / source).write_text(markdown.render(document), encoding="utf-8")
    made = {path.relative_to(staged) for path in staged.rglob("*")}
    publish(staged, folder)
    for path in (*folder.glob("tables/*"), *folder.glob("figures/*")):
        if path.suffix in SUFFIXES and path.relative_to(folder) not in made:
            path.unlink()
    return folder / page, folder / source


def _write_table(table: Table, folder: Path) -> None:
    full = table.shown if table.full is None else table.full
    full.to_csv(folder / f"{table.name}.csv", index=False)
    shown = markdown.table(table.shown, table.prose)
    (folder / f"{table.name}.md").write_text(shown, encoding="utf-8")
    (folder / f"{table.name}.tex").write_text(latex(table), encoding="utf-8")
