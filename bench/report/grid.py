"""An image grid: rows are prompts, columns are methods, one image of each."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from PIL.Image import Resampling

from bench.report.load import Results

TILE = 192  # pixels; a multiple of 32, 64 and 96
GAP = 10
MARGIN = 190  # pixels for the prompt at the left
CAPTION = 22
GREY = (205, 205, 205)
INK = (34, 34, 34)
RIGHT, WRONG = (0, 100, 70), (170, 60, 0)


def choose(results: Results, rows: int = 6) -> list[int]:
    """``rows`` prompts: the first of every task, then the second, and so on, in order of index.

    Prompts that every cell finished go first.
    """
    done = results.prompts.groupby("index").agg(cells=("cell", "size"), tag=("tag", "first"))
    done = done.reset_index().sort_values(["cells", "index"], ascending=[False, True])
    done["turn"] = done.groupby("tag").cumcount()
    picked = done.sort_values(["turn", "tag"], kind="stable").head(rows)
    return [int(index) for index in picked["index"].sort_values()]


def one_a_prompt(results: Results) -> pd.DataFrame:
    """An image a cell and prompt, indexed by both: at the same position in every cell.

    The position follows from the prompt's number: the first would favor methods that deliver their
    images in order of reward.
    """
    count = results.cells.images.reindex(results.images.cell).to_numpy()
    return results.images[results.images.position == results.images["index"] % count].set_index(
        ["cell", "index"]
    )


def draw(results: Results, indices: list[int], shown: list[str]) -> Image.Image:
    """The grid of these prompts and cells. An image that is not on disk is a grey tile."""
    cells = results.cells.loc[shown]
    first = one_a_prompt(results)
    texts = results.prompts.drop_duplicates("index").set_index("index")
    font, small = _font(13), _font(12)
    header = 20 + 17 * max(len(textwrap.wrap(label, 22)) for label in cells.label)
    step, line = TILE + GAP, TILE + CAPTION + GAP
    size = (MARGIN + step * len(cells) + GAP, header + line * len(indices) + GAP)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for column, label in enumerate(cells.label):
        text = "\n".join(textwrap.wrap(label, 22))
        pen.multiline_text((MARGIN + step * column, 10), text, INK, font, spacing=3)
    for row, index in enumerate(indices):
        top = header + line * row
        prompt = "\n".join(textwrap.wrap(texts.prompt[index], 24)[:7])
        pen.multiline_text((GAP, top), prompt, INK, font, spacing=3)
        tag = str(texts.tag[index]).replace("_", " ")
        pen.text((GAP, top + TILE), f"{tag}, no. {index}", (110, 110, 110), small)
        for column, cell in enumerate(cells.index):
            at = (MARGIN + step * column, top)
            known = (cell, index) in first.index
            record = first.loc[(cell, index)] if known else None
            sheet.paste(tile(record.path if record is not None else None, small), at)
            if record is not None:
                text, color = verdict(record, results.reward)
                pen.text((at[0], top + TILE + 3), text, color, small)
    return sheet


def tile(path: Path | None, font: ImageFont.FreeTypeFont) -> Image.Image:
    """The image at ``path`` in a square; a small one grows by a whole factor, unsmoothed."""
    square = Image.new("RGB", (TILE, TILE), "white")
    if path is None or not path.is_file():
        square.paste(GREY, (0, 0, TILE, TILE))
        pen = ImageDraw.Draw(square)
        pen.text((TILE / 2, TILE / 2), "missing", INK, font, anchor="mm")
        return square
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if (times := TILE // max(image.size)) >= 1:
        image = image.resize((image.width * times, image.height * times), Resampling.NEAREST)
    else:
        image.thumbnail((TILE, TILE), Resampling.LANCZOS)
    square.paste(image, ((TILE - image.width) // 2, (TILE - image.height) // 2))
    return square


def verdict(record: pd.Series, reward: str) -> tuple[str, tuple[int, int, int]]:
    """The line under an image: tick or cross by GenEval and the guiding reward."""
    if pd.isna(record.correct):
        return "not judged", INK
    mark, color = ("✓", RIGHT) if record.correct else ("✗", WRONG)
    return f"{mark} {reward} {record[f'score.{reward}']:.2f}", color


def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along and which has a tick and a cross."""
    return ImageFont.truetype(
        Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", size
    )
