"""The grid of images for the page: small copies, each with its verdict and its scores."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pandas as pd
from PIL import Image
from PIL.Image import Resampling

from bench.report import choice, grid
from bench.report.document import Gallery, Tile
from bench.report.load import Results

SIDE = 192  # pixels; larger images are shrunk to it
QUALITY = 80  # of their JPEG


def gallery(results: Results) -> Gallery:
    """An image of every method's typical cell, for one prompt of each task."""
    cells, indices = choice.typicals(results.cells), grid.choose(results)
    first = grid.one_a_prompt(results)
    texts = results.prompts.drop_duplicates("index").set_index("index")
    rows = []
    for index in indices:
        tag = str(texts.tag[index]).replace("_", " ")
        prompt = str(texts.prompt[index])
        tiles = tuple(
            tile(
                first.loc[(cell, index)] if (cell, index) in first.index else None,
                results.scores,
                f"{results.cells.label[cell]}: {prompt}",
            )
            for cell in cells
        )
        rows.append((prompt, f"{tag}, no. {index}", tiles))
    noise = "the same initial noise" if results.cells.seed.nunique() == 1 else "different seeds"
    caption = (
        f"Same prompts, {noise}, but for methods that deliver the best of several candidates: "
        "theirs is one of those chosen, from its own noise. Under each GenEval's verdict and the "
        f"image's scores; {results.reward} guides. Not picked by hand: the first prompt of every "
        "task, those finished by all methods first; of its images the one whose number is the "
        "prompt's modulo their count (some methods deliver the best first); of a method with "
        "several settings the typical one."
    )
    labels = tuple(str(results.cells.label[cell]) for cell in cells)
    sheet = grid.draw(results, indices, cells)
    return Gallery("grid", labels, tuple(rows), caption, sheet)


def tile(record: pd.Series | None, scores: tuple[str, ...], alt: str) -> Tile:
    """One image; None, or a file that is gone, makes a missing tile."""
    if record is None:
        return Tile(None, "png", alt, "not finished", None, ())
    data, kind, pixelated = small(record.path)
    lines = tuple(
        f"{name} {record[f'score.{name}']:.3f}"
        for name in scores
        if f"score.{name}" in record and pd.notna(record[f"score.{name}"])
    )
    if pd.isna(record.correct):
        return Tile(data, kind, alt, "not judged", None, lines, pixelated)
    correct = bool(record.correct)
    verdict = "✓ correct" if correct else f"✗ {record.reasons or 'wrong'}"
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
