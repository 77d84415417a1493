"""Records on disk: nothing lost, nothing doubled, nothing silently wrong."""

import json

import numpy as np
import pytest

from bench.errors import BenchError
from bench.store import CellStore, read_records

PIXELS = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
METADATA = {"tag": "single_object", "include": [], "prompt": "a photo of a cat"}


def stored(folder, indices=(3, 5)):
    store = CellStore(folder)
    with store.locked():
        for index in indices:
            names, digests = store.write_images(index, METADATA, PIXELS)
            store.append({"index": index, "images": names, "sha256": digests, "error": None})
    return store


def test_images_lie_in_geneval_s_layout_and_read_back(tmp_path):
    from bench.images import read

    stored(tmp_path)
    folder = tmp_path / "images" / "00003"
    assert json.loads((folder / "metadata.jsonl").read_text()) == METADATA
    files = sorted((folder / "samples").iterdir())
    assert [f.name for f in files] == ["0000.png", "0001.png"]
    assert (read(files) == PIXELS).all()


def test_done_prompts_have_their_record_and_all_their_images(tmp_path):
    store = stored(tmp_path)
    assert store.done() == {3, 5}
    (tmp_path / "images" / "00003" / "samples" / "0001.png").unlink()
    assert store.done() == {5}


def test_a_failed_prompt_is_to_be_done_again_and_the_last_line_counts(tmp_path):
    store = stored(tmp_path)
    store.append({"index": 9, "error": "the reward was not finite"})
    store.append({"index": 3, "images": [], "error": "later"})
    assert store.done() == {5}


def test_a_line_cut_off_by_a_crash_is_dropped_and_the_next_does_not_join_it(tmp_path):
    store = stored(tmp_path)
    with store.records_path.open("a") as file:
        file.write('{"index": 7, "ima')
    assert store.done() == {3, 5}
    with store.locked():
        store.append({"index": 8, "images": [], "sha256": [], "error": None})
    assert set(read_records(store.records_path)[0]) == {3, 5, 8}


def test_a_corrupt_line_in_the_middle_is_an_error_naming_file_and_line(tmp_path):
    store = stored(tmp_path)
    lines = store.records_path.read_text().splitlines()
    store.records_path.write_text("\n".join([lines[0], "garbage", lines[1]]) + "\n")
    with pytest.raises(BenchError, match=r"records\.jsonl, line 2"):
        store.done()


def test_nan_is_refused_rather_than_written(tmp_path):
    store = stored(tmp_path)
    before = store.records_path.read_text()
    with pytest.raises(ValueError, match="JSON"):
        store.append({"index": 1, "seconds": float("nan"), "error": None})
    assert store.records_path.read_text() == before


def test_two_writers_cannot_hold_one_cell(tmp_path):
    store = CellStore(tmp_path)
    with store.locked(), pytest.raises(BenchError, match="another process"), store.locked():
        pass


def test_shards_write_one_file_side_by_side_without_loss(tmp_path):
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(append_many, [(tmp_path, k) for k in range(3)])
    records, torn = read_records(tmp_path / "records.jsonl")
    assert set(records) == set(range(60)) and not torn


def append_many(folder, k):
    store = CellStore(folder)
    with store.locked((k, 3)):
        for index in range(k, 60, 3):
            store.append({"index": index, "images": [], "error": None, "pad": "x" * 5000})
