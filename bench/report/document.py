"""A report as data: sections of text, tables, figures and one grid of images, in plain text.

Renderers (`markdown`, `web`, `latex`) escape what they print; nothing in here is markup.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of short lines."""

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """``name``: of its files in tables/. ``shown``: every value as text. ``full``: what its CSV
    holds in place of that, at full precision. ``prose``: columns of words, set flush left.
    ``links``: of each row, shown in its first cell: text -> path relative to the results folder."""

    name: str
    shown: pd.DataFrame
    caption: str = ""
    full: pd.DataFrame | None = None
    prose: tuple[str, ...] = ()
    links: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True)
class Picture:
    """``name``: of its files in figures/. ``title``: empty where its section's says it."""

    name: str
    title: str
    caption: str
    figure: Figure


@dataclass(frozen=True)
class Tile:
    """One image of the grid: PNG or JPEG bytes (None where it is missing) and the lines under it.

    ``correct``: the verdict, None where nothing was judged.
    """

    data: bytes | None
    kind: str
    alt: str
    verdict: str
    correct: bool | None
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """Rows are prompts (their text, and a line about them), columns methods.

    ``sheet``: the same as one picture, for pages without a grid of their own.
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Tile, ...]], ...]
    caption: str
    sheet: Image.Image


Part = Text | Bullets | Table | Picture | Gallery


@dataclass(frozen=True)
class Section:
    """``title`` is unique in its document. ``folded``: a page shows the title alone until it is
    clicked."""

    title: str
    parts: tuple[Part, ...]
    folded: bool = False

    @property
    def anchor(self) -> str:
        return "".join(c if c.isalnum() else "-" for c in self.title.lower())


@dataclass(frozen=True)
class Document:
    """``headline``: what was found, in sentences that stand under the title. ``facts``: name ->
    value. ``notes``: what a reader must know before the first section."""

    title: str
    facts: Mapping[str, str]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    headline: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """A document, and what of it a terminal shows: one table with its title, and lines."""

    document: Document
    brief: pd.DataFrame
    title: str
    lines: tuple[str, ...]
