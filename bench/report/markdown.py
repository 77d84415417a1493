"""A document as report.md: what is read on a code host."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from urllib.parse import quote

import pandas as pd

from bench.report.document import Bullets, Document, Gallery, Part, Picture, Table, Text


def render(document: Document) -> str:
    """The page; tables and figures are linked below tables/ and figures/."""
    lines = [f"# {escape(document.title)}\n"]
    lines += [f"{escape(' '.join(document.headline))}\n"] if document.headline else []
    lines += [f"- {escape(f'{name}: {value}')}" for name, value in document.facts.items()]
    lines += [f"- {escape(note)}" for note in document.notes]
    for section in document.sections:
        lines.append(f"\n## {escape(section.title)}\n")
        lines += [f"{text}\n" for part in section.parts for text in _part(part)]
    return "\n".join(lines)


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Text):
        yield escape(part.text)
    elif isinstance(part, Bullets):
        yield "\n".join(f"- {escape(line)}" for line in part.lines)
    elif isinstance(part, Table):
        if part.caption:
            yield escape(part.caption)
        yield table(part.shown, part.prose, [next(iter(own.values())) for own in part.links])
        files = (f"[{suffix}](tables/{part.name}.{suffix})" for suffix in ("csv", "md", "tex"))
        yield f"As files: {', '.join(files)}."
    elif isinstance(part, Picture):
        if part.title:
            yield f"### {escape(part.title)}"
        yield f"![{escape(part.title or part.name)}](figures/{part.name}.png)"
        yield escape(part.caption)
        yield f"As a file: [pdf](figures/{part.name}.pdf)."
    elif isinstance(part, Gallery):
        yield escape(part.caption)
        yield f"![Images](figures/{part.name}.png)"


def table(shown: pd.DataFrame, prose: Collection[str] = (), hrefs: Sequence[str] = ()) -> str:
    """A Markdown table; text that Markdown would read as syntax is escaped.

    ``prose``: columns set flush left, as the first. ``hrefs``: where the first cell of each
    row leads, if anywhere.
    """
    rows = [[escape(str(value)) for value in row] for row in shown.to_numpy()]
    for row, href in zip(rows, hrefs, strict=False):
        row[0] = f"[{row[0]}]({quote(href)})"
    left = {*shown.columns[:1], *prose}
    lines = [[escape(str(column)) for column in shown.columns]]
    lines += [[":--" if column in left else "--:" for column in shown.columns], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def escape(text: str) -> str:
    """``text`` on one line, with Markdown's and HTML's special characters made literal."""
    text = " ".join(text.split())
    for character in "\\`*_[]|#~$":
        text = text.replace(character, f"\\{character}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
