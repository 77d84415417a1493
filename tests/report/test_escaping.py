"""Texts that a renderer could take for its own syntax come out as they were written."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import synthetic

from bench.report import markdown
from bench.report.build import build
from bench.report.document import Table
from bench.report.latex import latex

HOSTILE = "a <script>alert('x')</script> & | _b_ \"c\" </td>"


class Page(HTMLParser):
    """The page's scripts, its text, and every attribute."""

    def __init__(self, text: str):
        super().__init__()
        self.scripts = 0
        self.text: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.scripts += tag == "script"
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data):
        self.text.append(data)


def hostile(folder: Path) -> Page:
    """The page of a folder whose prompts and reasons are hostile."""
    path, records = synthetic.records_of(folder, "ug")
    for cell in ("vanilla", "lidar", "ug"):
        path, records = synthetic.records_of(folder, cell)
        for record in records:
            record["prompt"] = f"{HOSTILE} {record['index']}"
            record["reasons"] = [[f"found {HOSTILE}"]] * 4
        synthetic.write(path, records)
    build(folder)
    return Page((folder / "report.html").read_text())


def test_a_script_in_a_prompt_shows_as_text(folder: Path) -> None:
    plain = build(folder).with_name("report.html").read_text()
    page = hostile(folder)
    assert page.scripts == Page(plain).scripts == 1
    assert any(HOSTILE in text for text in page.text)
    assert any(name == "alt" and HOSTILE in value for name, value in page.attributes)
    assert not any(name.startswith("on") for name, _ in page.attributes)


def test_a_hostile_setting_stays_one_cell_of_every_table(folder: Path) -> None:
    label = "a|b [x](y) <i>,\n$1$ 5% & c_d"
    synthetic.cell(folder, "ug", name="hostile", method={"name": "ug", "x": label})
    build(folder)
    tables = folder / "tables"
    rows = (tables / "results.md").read_text().splitlines()
    assert len(rows) == 2 + 4 and len({row.replace("\\|", "").count("|") for row in rows}) == 1
    assert any("&lt;i&gt;" in row for row in rows)
    with (tables / "results.csv").open(newline="") as file:
        assert f"ug (x {label})" in [row["label"] for row in csv.DictReader(file)]
    [row] = [line for line in (tables / "results.tex").read_text().splitlines() if "a|b" in line]
    assert r"\textless{}i\textgreater{}, \$1\$ 5\% \& c\_d" in row
    heads = len(rows[0].split(" | "))
    assert len(re.findall(r"(?<!\\)&", row)) == heads - 1


def test_markdown_escapes_what_would_be_syntax() -> None:
    text = markdown.escape("_a_ *b* `c` | <d> & [e]\nf")
    assert text == r"\_a\_ \*b\* \`c\` \| &lt;d&gt; &amp; \[e\] f"


def test_latex_escapes_each_of_its_special_characters_once() -> None:
    shown = pd.DataFrame({"a": ["50% of a_b & {c} #1 $x ~ ^ \\ <", "2.0× λ ≥ −0.5 – V̂"]})
    first, second = latex(Table("t", shown)).splitlines()[4:6]
    assert first == (
        r"50\% of a\_b \& \{c\} \#1 \$x \textasciitilde \space \textasciicircum \space "
        r"\textbackslash \space \textless{} \\"
    )
    assert second == r"2.0$\times$ $\lambda$ $\geq$ $-$0.5 -- $\hat V$ \\"


def test_latex_is_a_tabular_with_booktabs_rules() -> None:
    shown = pd.DataFrame({"method": ["lidar", "[x]"], "why": ["a", "b"], "cost": ["1", "2"]})
    lines = latex(Table("t", shown, "100% sure", prose=("why",))).splitlines()
    assert lines[:3] == ["% 100% sure", r"\begin{tabular}{lp{5cm}r}", r"\toprule"]
    assert lines[3:5] == [r"method & why & cost \\", r"\midrule"]
    assert lines[6] == r"{}[x] & b & 2 \\"  # not the optional argument of the line before
    assert lines[-2:] == [r"\bottomrule", r"\end{tabular}"]


def test_no_text_of_a_record_reaches_the_page_unescaped(folder: Path) -> None:
    hostile(folder)
    text = (folder / "report.html").read_text()
    assert "<script>alert" not in text and json.dumps(HOSTILE) not in text
