"""The grid of images: rows are prompts, columns methods, each image with its verdict and scores."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import matplotlib
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from PIL.Image import Resampling

from bench.report import choice
from bench.report.document import Gallery, Tile
from bench.report.load import Results

SIDE = 192  # pixels; larger images are shrunk to it; a multiple of 32, 64 and 96
QUALITY = 80  # of their JPEG
GAP, MARGIN, CAPTION = 10, 190, 22  # pixels of the sheet; the margin holds the prompt
GREY, INK = (205, 205, 205), (34, 34, 34)
COLORS = {True: (0, 100, 70), False: (170, 60, 0), None: INK}


def gallery(results: Results) -> Gallery:
    """An image of every method's typical cell, for one prompt of each task."""
    cells, indices = choice.typicals(results.cells), choose(results)
    first = one_a_prompt(results, indices)
    texts = results.prompts.drop_duplicates("index").set_index("index")
    labels = tuple(str(results.cells.label[cell]) for cell in cells)
    rows = []
    for index in indices:
        prompt, tag = str(texts.prompt[index]), str(texts.tag[index]).replace("_", " ")
        tiles = []
        for cell, label in zip(cells, labels, strict=True):
            image = first.loc[(cell, index)] if (cell, index) in first.index else None
            path = results.cells.path[cell] / "images"
            made = tile(image, path, results.scores, f"{label}: {prompt}")
            judged = results.quality == "geneval" or made.data is None
            tiles.append(made if judged else replace(made, verdict=""))
        rows.append((prompt, f"{tag}, no. {index}".removeprefix(", "), tuple(tiles)))
    noise = "the same initial noise" if results.cells.seed.nunique() == 1 else "different seeds"
    verdict = "GenEval's verdict and " if results.quality == "geneval" else ""
    caption = (
        f"Same prompts, {noise}, but for methods that deliver the best of several candidates: "
        f"theirs is one of those chosen, from its own noise. Under each {verdict}the image's "
        f"scores; {results.reward} guides. Not picked by hand: the first prompt of every "
        "task, those finished by all methods first; of its images the one whose number is the "
        "prompt's modulo their count (some methods deliver the best first); of a method with "
        "several settings the typical one."
    )
    return Gallery("grid", labels, tuple(rows), caption, sheet(labels, rows))


def choose(results: Results, rows: int = 6) -> list[int]:
    """``rows`` prompts: the first of every task, then the second, and so on, in order of index.

    Prompts that every cell finished go first.
    """
    done = results.prompts.groupby("index").agg(cells=("cell", "size"), tag=("tag", "first"))
    done = done.reset_index().sort_values(["cells", "index"], ascending=[False, True])
    done["turn"] = done.groupby("tag").cumcount()
    picked = done.sort_values(["turn", "tag"], kind="stable").head(rows)
    return [int(index) for index in picked["index"].sort_values()]


def one_a_prompt(results: Results, indices: Sequence[int]) -> pd.DataFrame:
    """An image a cell and prompt, indexed by both: at the same position in every cell.

    The position follows from the prompt's number: the first would favor methods that deliver their
    images in order of reward.
    """
    images = results.images[results.images["index"].isin(indices)]
    count = results.cells.images.reindex(images.cell).to_numpy()
    return images[images.position == images["index"] % count].set_index(["cell", "index"])


def tile(image: pd.Series | None, folder: Path, scores: tuple[str, ...], alt: str) -> Tile:
    """One image below ``folder``; None, or a file that is gone, makes a missing tile."""
    if image is None:
        return Tile(None, "png", alt, "not finished", None, ())
    data, kind, pixelated = small(folder / image.path)
    known = [name for name in scores if pd.notna(image.get(f"score.{name}"))]
    lines = tuple(f"{name} {image[f'score.{name}']:.3f}" for name in known)
    if pd.isna(image.correct):
        return Tile(data, kind, alt, "not judged", None, lines, pixelated)
    correct = bool(image.correct)
    verdict = "✓ correct" if correct else f"✗ {image.reasons or 'wrong'}"
    return Tile(data, kind, alt, verdict, correct, lines, pixelated)


def small(path: Path) -> tuple[bytes | None, str, bool]:
    """An image's bytes, their kind, and whether it is to be enlarged in whole pixels.

    A small image stays as it is, as PNG; a large one becomes a JPEG of at most `SIDE` pixels.
    """
    if not path.is_file():
        return None, "png", False
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    out = BytesIO()
    if max(image.size) <= SIDE:
        image.save(out, "PNG", optimize=True)
        return out.getvalue(), "png", 2 * max(image.size) <= SIDE
    image.thumbnail((SIDE, SIDE), Resampling.LANCZOS)
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), "jpeg", False


def sheet(labels: Sequence[str], rows: Sequence[tuple[str, str, tuple[Tile, ...]]]) -> Image.Image:
    """The grid as one picture: ticks and crosses, and the guiding reward under each image."""
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"  # it has a tick and a cross
    font, little = (ImageFont.truetype(fonts / "DejaVuSans.ttf", size) for size in (13, 12))
    heads = ["\n".join(textwrap.wrap(label, 22)) for label in labels]
    header = 20 + 17 * max(head.count("\n") + 1 for head in heads)
    step, line = SIDE + GAP, SIDE + CAPTION + GAP
    picture = Image.new(
        "RGB", (MARGIN + step * len(labels) + GAP, header + line * len(rows) + GAP), "white"
    )
    pen = ImageDraw.Draw(picture)
    for column, head in enumerate(heads):
        pen.multiline_text((MARGIN + step * column, 10), head, INK, font, spacing=3)
    for row, (prompt, about, tiles) in enumerate(rows):
        top = header + line * row
        text = "\n".join(textwrap.wrap(prompt, 24)[:7])
        pen.multiline_text((GAP, top), text, INK, font, spacing=3)
        pen.text((GAP, top + SIDE), about, (110, 110, 110), little)
        for column, one in enumerate(tiles):
            at = (MARGIN + step * column, top)
            picture.paste(square(one.data), at)
            words = [one.verdict[:1] if one.correct is not None else one.verdict, *one.lines[:1]]
            if one.data is not None:
                pen.text((at[0], top + SIDE + 3), " ".join(words), COLORS[one.correct], little)
    return picture


def square(data: bytes | None) -> Image.Image:
    """An image in a square; a small one grows by a whole factor, unsmoothed; a missing one grey."""
    framed = Image.new("RGB", (SIDE, SIDE), "white" if data else GREY)
    if data is None:
        return framed
    image = Image.open(BytesIO(data)).convert("RGB")
    times = max(SIDE // max(image.size), 1)
    image = image.resize((image.width * times, image.height * times), Resampling.NEAREST)
    framed.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return framed
