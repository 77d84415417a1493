"""A document as report.html: one page that needs nothing but itself.

Jinja2 escapes every text (autoescape); style and script are inlined, images are data URIs, and the
page's own content security policy forbids any other source.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bench.report.document import Document, Part

PAGE = Path(__file__).parent / "page"
MARKS = {"holds": "holds", "does not hold": "fails", "cannot tell here": "unknown"}


def render(document: Document, drawn: Mapping[str, bytes]) -> str:
    """The page; ``drawn``: each figure as PNG, by its name."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"data": data, "kind": kind, "quote": quote, "whole": whole}
    return environment.get_template("page.html").render(
        document=document,
        drawn=drawn,
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


def whole(value: Any) -> str:
    """A cell's text; lines break neither within an interval, [0.1, 0.2], nor a setting, "n 25"."""
    parts = r"\[[^]]*\]|\w+ [\w.]+(?=[,)])"
    return re.sub(parts, lambda found: found[0].replace(" ", "\u00a0"), str(value))
