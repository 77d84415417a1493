"""The grid of images: rows are prompts, columns methods, each image with its verdict and scores."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from PIL.Image import Resampling

from bench.report import choice
from bench.report.document import Gallery, Tile
from bench.report.load import Results
from bench.report.stand_ins import STAND_INS

COLUMNS = 6  # methods beside each other
SIDE = 192  # pixels; larger images are shrunk to it; a multiple of 32, 64 and 96
QUALITY = 80  # of their JPEG
GAP, MARGIN, CAPTION = 10, 190, 22  # pixels of the sheet; the margin holds the prompt
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"  # it has a tick
GREY, INK = (205, 205, 205), (34, 34, 34)
COLORS = {True: (0, 100, 70), False: (170, 60, 0), None: INK}

SEEN = (
    "Ticks and crosses are GenEval's verdict, boxes what its detector saw, errors and all. Where a "
    "number is asked for it counts objects above 0.9 alone; elsewhere extra objects, beyond those "
    "asked for, cost nothing."
)
UNSEEN = "Ticks and crosses are GenEval's verdict; what its detector saw was not recorded."
PICKED = (
    "Not picked by hand: the first prompt of every task that all methods finished; of its images "
    "the one whose number is the prompt's modulo their count; of each method its typical setting."
)


def galleries(results: Results) -> list[Gallery]:
    """An image of every method's typical cell, for one prompt of each task; `COLUMNS` methods each,
    the first ones first. None of methods whose images are gone."""
    cells, indices = choice.typicals(results.cells), choose(results)
    first = one_a_prompt(results, indices)
    texts = results.prompts.drop_duplicates("index").set_index("index")
    about = caption(results, " ".join(texts.prompt[indices]))
    found = []
    for start in range(0, len(cells), COLUMNS):
        group = cells[start : start + COLUMNS]
        labels = tuple(str(results.cells.label[cell]) for cell in group)
        rows = []
        for index in indices:
            prompt, tag = str(texts.prompt[index]), str(texts.tag[index]).replace("_", " ")
            tiles = []
            for cell, label in zip(group, labels, strict=True):
                image = first.loc[(cell, index)] if (cell, index) in first.index else None
                path = results.cells.path[cell] / "images"
                made = tile(image, path, results.scores, f"{label}: {prompt}")
                judged = results.quality == "geneval" or made.data is None
                tiles.append(made if judged else replace(made, verdict=""))
            rows.append((prompt, f"{tag}, no. {index}".removeprefix(", "), tuple(tiles)))
        if not any(tile.data for _, _, tiles in rows for tile in tiles):
            continue  # records without their images
        name = "grid" if not start else f"grid_{start // COLUMNS + 1}"
        text = about if not start else "The same prompts by the other methods."
        found.append(Gallery(name, labels, tuple(rows), text, sheet(labels, rows)))
    return found


def caption(results: Results, shown: str) -> str:
    """What the images are, how they were picked, and which icons of the ``shown`` prompts
    mislead."""
    same = results.cells.seed.nunique() == 1
    said = ["The same prompts and initial noise." if same else "The same prompts."]
    if results.quality == "geneval":
        said.append(SEEN if results.images.detections.notna().any() else UNSEEN)
    kinds = {str(config["backbone"].get("kind")) for config in results.cells.config}
    found = [f"{name} as {icon}" for name, icon in STAND_INS.items() if name in shown]
    if kinds & {"miniature", "miniature_flow"} and found:
        said.append(
            "The built-in model's world is icons, and where its font has none another stands in: "
            f"here {', '.join(found)}."
        )
    return " ".join((*said, PICKED, f"The guiding reward is {results.reward}."))


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
    data, kind = small(folder / image.path, image.detections or ())
    known = [name for name in scores if pd.notna(image.get(f"score.{name}"))]
    lines = tuple(f"{name} {image[f'score.{name}']:.3f}" for name in known)
    if pd.isna(image.correct):
        return Tile(data, kind, alt, "not judged", None, lines)
    correct = bool(image.correct)
    more = (f"{image.extras:.0f} extra",) if pd.notna(image.extras) and image.extras else ()
    said = ("✓ right", *more) if correct else (*more, image.reasons or "wrong")
    verdict = ", ".join(said) if correct else f"✗ {'; '.join(said)}"
    return Tile(data, kind, alt, verdict, correct, lines)


def small(path: Path, detections: Sequence[Sequence[Any]] = ()) -> tuple[bytes | None, str]:
    """An image's bytes and their kind, with its detections drawn.

    A small image is enlarged by a whole factor, as PNG; a large one becomes a JPEG of at most
    `SIDE` pixels.
    """
    if not path.is_file():
        return None, "png"
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    whole, out = image.size, BytesIO()
    times = SIDE // max(image.size)
    if times:
        size = (image.width * times, image.height * times)
        image = image.resize(size, Resampling.NEAREST)
    else:
        image.thumbnail((SIDE, SIDE), Resampling.LANCZOS)
    boxed(image, image.width / whole[0], detections)
    if times:
        image.save(out, "PNG", optimize=True)
        return out.getvalue(), "png"
    image.save(out, "JPEG", quality=QUALITY)
    return out.getvalue(), "jpeg"


def boxed(image: Image.Image, scale: float, detections: Sequence[Sequence[Any]]) -> None:
    """Draw each detection's box, with its class and score."""
    pen, font = ImageDraw.Draw(image), ImageFont.truetype(FONT, 10)
    for _, *corners, _ in detections:
        x0, y0, x1, y1 = (scale * value for value in corners)
        for grow, color in ((1, "white"), (0, INK)):
            pen.rectangle((x0 - grow, y0 - grow, x1 + grow, y1 + grow), outline=color)
    for name, x0, y0, *_, score in detections:  # over all boxes
        text = f"{name} {score:.2f}"
        left, _, right, bottom = pen.textbbox((0, 0), text, font)
        at = max(min(scale * x0, image.width - right - 2), 0), max(scale * y0 - bottom - 1, 0)
        pen.rectangle((*at, at[0] + right - left + 2, at[1] + bottom + 1), "white")
        pen.text((at[0] + 1, at[1]), text, INK, font)


def sheet(labels: Sequence[str], rows: Sequence[tuple[str, str, tuple[Tile, ...]]]) -> Image.Image:
    """The grid as one picture, ticks and crosses under the images."""
    font, little = (ImageFont.truetype(FONT, size) for size in (13, 12))
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
            if one.data is not None:
                words = textwrap.shorten(one.verdict, 30, placeholder=" …")
                pen.text((at[0], top + SIDE + 3), words, COLORS[one.correct], little)
    return picture


def square(data: bytes | None) -> Image.Image:
    """A tile's image in a square; a missing one grey."""
    framed = Image.new("RGB", (SIDE, SIDE), "white" if data else GREY)
    if data is None:
        return framed
    image = Image.open(BytesIO(data)).convert("RGB")
    framed.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return framed
