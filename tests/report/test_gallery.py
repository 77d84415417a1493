"""Thumbnails of the page's grid."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.report.gallery import SIDE, small, tile
from bench.report.load import load


def test_a_small_image_is_kept_to_the_pixel_and_a_large_one_shrunk(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "small.png")
    data, kind, pixelated = small(tmp_path / "small.png")
    assert (kind, pixelated) == ("png", True)
    assert (np.asarray(Image.open(BytesIO(data))) == pixels).all()
    Image.fromarray(pixels).resize((768, 1024)).save(tmp_path / "large.png")
    data, kind, pixelated = small(tmp_path / "large.png")
    with Image.open(BytesIO(data)) as image:
        assert (kind, image.format, max(image.size)) == ("jpeg", "JPEG", SIDE)
        assert image.width / image.height == pytest.approx(0.75, abs=0.01)
    assert small(tmp_path / "gone.png")[0] is None


def test_a_tile_tells_the_verdict_with_its_reason_and_every_score(folder: Path) -> None:
    results = load(folder)
    wrong = results.images[results.images.correct == False].iloc[0]  # noqa: E712
    folder = results.cells.path[wrong.cell] / "images"
    made = tile(wrong, folder, results.scores, "alt")
    assert (made.correct, made.verdict) == (False, "✗ expected cat>=1, found 0")
    assert made.lines == tuple(f"{name} {wrong[f'score.{name}']:.3f}" for name in results.scores)
    wrong["correct"] = None
    assert tile(wrong, folder, results.scores, "alt").verdict == "not judged"
    assert tile(None, folder, results.scores, "alt").data is None
