"""Thumbnails of the page's grid."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import synthetic
from PIL import Image

from bench.report import gallery
from bench.report.gallery import SIDE, small, tile
from bench.report.load import load
from bench.report.stand_ins import STAND_INS
from training.scenes import GLYPHS


def test_a_small_image_grows_by_whole_pixels_and_a_large_one_is_shrunk(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "small.png")
    data, kind = small(tmp_path / "small.png")
    assert kind == "png"
    enlarged = pixels.repeat(3, axis=0).repeat(3, axis=1)
    assert (np.asarray(Image.open(BytesIO(data))) == enlarged).all()
    Image.fromarray(pixels).resize((768, 1024)).save(tmp_path / "large.png")
    data, kind = small(tmp_path / "large.png")
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


def test_a_detection_is_drawn_where_the_judge_saw_it(tmp_path: Path) -> None:
    plain = np.full((64, 64, 3), 190, dtype=np.uint8)
    Image.fromarray(plain).save(tmp_path / "a.png")
    data, _ = small(tmp_path / "a.png", [["cup", 20.0, 30.0, 50.0, 60.0, 0.91]])
    drawn = np.asarray(Image.open(BytesIO(data)))
    changed = (drawn != 190).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert columns.min() == 3 * 20 - 1 and rows.max() == 3 * 60 + 1
    assert not changed[95:175, 65:145].any()  # inside the box the image is what it was
    assert (drawn[135, 60] == gallery.INK).all() and (drawn[135, 150] == gallery.INK).all()


def judged(folder: Path, **changes) -> None:
    """The cells' records with what this version's judge says beside."""
    for path in (folder / "cells").iterdir():
        synthetic.write(path, [record | changes for record in synthetic.read(path)])


def test_extra_objects_are_told_beside_the_tick(folder: Path) -> None:
    box = ["cup", 2.0, 2.0, 9.0, 9.0, 0.9]
    judged(
        folder,
        geneval=[True] * 4,
        reasons=[[]] * 4,
        detections=[[box, box]] * 4,
        strict=[False] * 4,
        extras={"asked": [1] * 4, "other": [0] * 4},
    )
    (grid,) = gallery.galleries(load(folder))
    assert {tile.verdict for _, _, tiles in grid.rows for tile in tiles} == {"✓ right, 1 extra"}
    judged(folder, geneval=[False] * 4, reasons=[["none found"]] * 4)
    (again,) = gallery.galleries(load(folder))
    assert again.rows[0][2][0].verdict == "✗ 1 extra; none found"
    assert gallery.SEEN in grid.caption


def test_records_without_their_images_make_no_grid(tmp_path: Path) -> None:
    synthetic.cell(tmp_path, "vanilla", total=6, pictures=False)
    assert gallery.galleries(load(tmp_path)) == []


def test_a_folder_of_an_earlier_version_says_that_detections_were_not_recorded(
    folder: Path,
) -> None:
    (grid,) = gallery.galleries(load(folder))
    assert gallery.UNSEEN in grid.caption


@pytest.mark.parametrize(("kind", "told"), [("miniature", True), ("stable_diffusion", False)])
def test_icons_that_stand_in_for_others_are_told_under_the_built_in_models_images(
    tmp_path: Path, kind: str, told: bool
) -> None:
    synthetic.cell(tmp_path, "vanilla", total=6, backbone={"name": "any", "kind": kind})
    judged(tmp_path, prompt="a photo of a zebra right of a vase")
    caption = gallery.galleries(load(tmp_path))[0].caption
    assert ("zebra as a rabbit, vase as a chess queen" in caption) == told
    assert "banana" not in caption


def test_stand_ins_are_those_that_the_training_scenes_draw() -> None:
    for name, told in STAND_INS.items():
        icon = GLYPHS[name].split("-")
        assert any(word in told for word in icon), (name, icon)
