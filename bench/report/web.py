"""A document as report.html: one page that needs nothing but itself.

Jinja2 escapes every text (autoescape); style and script are inlined, images are data URIs, and the
page's own content security policy forbids any other source.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.report.document import Document, Part
from bench.report.markdown import absent
from bench.report.verdicts.base import FAILS, HOLDS, UNKNOWN

PAGE = Path(__file__).parent / "page"
MARKS = {HOLDS: "holds", FAILS: "fails", UNKNOWN: "unknown"}


def render(document: Document, pictures: Mapping[str, bytes]) -> str:
    """The page; ``pictures``: each figure's PNG by its name."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data": data, "kind": kind, "quote": quote, "absent": absent}
    environment.tests["number"] = is_number
    return environment.get_template("page.html").render(
        document=document,
        pictures=pictures,
        marks=MARKS,
        style=Markup((PAGE / "page.css").read_text(encoding="utf-8")),
        script=Markup((PAGE / "page.js").read_text(encoding="utf-8")),
    )


def data(content: bytes, kind: str = "png") -> str:
    """A data URI."""
    return f"data:image/{kind};base64,{b64encode(content).decode('ascii')}"


def kind(part: Part) -> str:
    """Which macro of the template draws the part."""
    return type(part).__name__.lower()


def is_number(value: Any) -> bool:
    """Whether a cell's text begins with a number, so that it is set flush right."""
    text = str(value).lstrip("+-−≥ ")
    return text[:1].isdigit()
