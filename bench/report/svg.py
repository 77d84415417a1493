"""A figure as SVG inside the page: text stays text, and ink and paper follow the page's theme."""

from __future__ import annotations

import re
from io import StringIO

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text

from bench.report import style

# What a theme changes -> the page's variable: ink and paper, and colors too dark for a dark page.
THEMED = {
    style.INK: "--ink",
    "#000000": "--ink",
    style.FAINT: "--line",
    "#ffffff": "--back",
    "#0072b2": "--blue",
    "#8c510a": "--brown",
}


def inline(figure: Figure, name: str) -> str:
    """An <svg> element without namespaces, metadata or style, its ids beginning with ``name``.

    Labels in it are escaped by matplotlib's writer. The page's CSS must join lines round, fill with
    ink, and give text the halo that it has in the other formats, where it is drawn as outlines.
    """
    out = StringIO()
    halos = {text: text.get_path_effects() for text in figure.findobj(Text)}
    for text in halos:
        text.set_path_effects([])
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    for text, effects in halos.items():
        text.set_path_effects(effects)
    return _cleaned(out.getvalue(), name)


def _cleaned(text: str, name: str) -> str:
    text = text[text.index("<svg") :]
    for part in ("metadata", r'style type="text/css"'):  # its style would hold for the whole page
        text = re.sub(rf"<{part}>.*?</{part.split()[0]}>", "", text, count=1, flags=re.S)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text).replace("xlink:href=", "href=")
    text = re.sub(r'(\bid=")', rf"\1{name}-", text)
    text = re.sub(r'(href="#|url\(#)', rf"\1{name}-", text)
    for color, variable in THEMED.items():
        text = re.sub(rf"(?<=[:\s]){color}\b", f"var({variable})", text, flags=re.I)
    return text
