"""report.html of a full synthetic set: self-contained, complete, opened in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from bench.report.lidar.verdicts import CLAIMS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
browser = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


class References(HTMLParser):
    """Everything that the page points at, and the ids that it has."""

    def __init__(self, text: str):
        super().__init__()
        self.sources: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "src" or (name == "href" and tag not in ("a", "use")):
                self.sources.append(value)
            elif name == "href" and tag == "a":
                self.links.append(value)
            elif name == "id":
                self.ids.append(value)


@pytest.fixture(scope="module")
def text(swept: Path) -> str:
    return (swept / "report.html").read_text()


def test_the_page_needs_nothing_but_itself(text: str) -> None:
    found = References(text)
    assert found.sources and all(source.startswith("data:image/") for source in found.sources)
    assert not re.search(r"https?://|//[a-z]+\.[a-z]", text.split("base64")[0])
    assert not re.findall(r"https?:", re.sub(r"data:image/[^\"]*", "", text))
    assert "@import" not in text and "url(" not in re.sub(r"url\(#", "", text)
    assert "link" not in found.tags and "iframe" not in found.tags


def test_every_link_leads_to_a_file_or_a_section(swept: Path, text: str) -> None:
    found = References(text)
    assert len(found.ids) == len(set(found.ids))
    for link in found.links:
        if link.startswith("#"):
            assert link[1:] in found.ids
        else:
            assert (swept / unquote(link)).is_file(), link
    cells = [path.name for path in (swept / "cells").iterdir()]
    assert all(f"cells/{cell}/records.jsonl" in found.links for cell in cells)
    assert all(f"cells/{cell}/config.yaml" in found.links for cell in cells)


def test_all_sections_figures_and_verdicts_are_there(swept: Path, text: str) -> None:
    heads = re.findall(r"<h2>(.*?)</h2>", text)
    assert heads == [
        "GenEval against cost", "Images", "Results", "Verdicts",  # what was found; then folded:
        "Every claim, and how it was judged", "Every score", "GenEval by task", "Figures",
        "Matched comparisons", "How the ranking changes from axis to axis", "Costs",
        "More images", "Notes", "Provenance",
    ]  # fmt: skip
    assert re.findall(r"<summary><h2>(.*?)</h2>", text) == heads[4:]
    assert text.index('class="headline"') < text.index("<dl") < text.index("<h2>")
    figures = {path.stem for path in (swept / "figures").glob("*.pdf")}
    assert len(figures) == 8
    assert all(f'id="figure-{name}"' in text for name in figures)
    silent = text.split("Not decided by these cells: ")[1].split("</p>")[0]
    assert text.count('class="verdict ') + silent.count("); ") + 1 == len(CLAIMS)
    assert "cannot tell here" not in text
    assert "No figure" not in text and "Not here" not in text


def test_under_every_image_stand_its_verdict_and_all_its_scores(text: str) -> None:
    tiles = re.findall(r'<p><span class="(?:right|wrong)">(.*?)</p>', text)
    assert len(tiles) == 6 * 8  # a prompt of each task, a column a method
    for tile in tiles:
        assert re.search(r"✓ right|✗ expected cat&gt;=1, found 0", tile)
        assert all(name in tile for name in ("preference ", "clip ", "jpeg "))


def look(page: Path, *options: str) -> tuple[str, list[str]]:
    """The page's DOM after its script ran, without a network, and the console's lines."""
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
         f"--user-data-dir={page.parent / 'profile'}", "--host-resolver-rules=MAP * ~NOTFOUND",
         *options, "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@browser
def test_the_page_opens_offline_without_a_console_error(swept: Path, tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.html"
    faulty.write_text("<script>nowhere()</script>")
    assert len(look(faulty)[1]) == 1  # so that silence means something
    dom, console = look(swept / "report.html")
    assert console == []
    assert re.search(r'<button type="button" id="theme">Dark theme', dom)  # its script ran


@browser
def test_sorting_goes_by_number_with_what_was_not_measured_last(text: str, tmp_path: Path) -> None:
    clicks = """<script>
      const table = document.querySelector('[aria-label="Table scores"] table');
      const heads = [...table.tHead.rows[0].cells];
      const at = heads.findIndex((head) => head.textContent.trim() === "P(better)");
      for (const times of [1, 2]) {
        heads[at].querySelector("button").click();
        const shown = [...table.tBodies[0].rows].map((row) => row.cells[at].textContent.trim());
        document.body.dataset[`sorted${times}`] = shown.map((t) => t.split(/[\\s\\[]/)[0]).join();
      }
      document.body.dataset.state = heads[at].getAttribute("aria-sort");
      document.getElementById("theme").click();
    </script></body>"""
    page = tmp_path / "sorted.html"
    page.write_text(text.replace("</body>", clicks))
    dom, console = look(page)
    assert console == []
    up, down = (re.search(rf'data-sorted{n}="([^"]*)"', dom)[1].split(",") for n in (1, 2))
    numbers = [float(value) for value in up[:-1]]
    assert len(numbers) > 5 and numbers == sorted(numbers) and up[-1] == "–"
    assert [float(value) for value in down[:-1]] == sorted(numbers, reverse=True)
    assert down[-1] == "–"
    assert 'data-state="descending"' in dom and '<html lang="en" data-theme="dark">' in dom
