"""Records on disk: nothing lost, nothing doubled, nothing silently wrong."""

import errno
import json
import os

import numpy as np
import pytest

from bench.errors import BenchError
from bench.store.config import describe, read_config
from bench.store.disk import DiskError
from bench.store.folder import CellStore
from bench.store.records import read_records, sealed
from bench.store.schema import KINDS, PHASES, Record, canonical

PIXELS = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
METADATA = {"tag": "single_object", "include": [], "prompt": "a photo of a cat"}


MEASURED = {
    "prompt": "a photo of a cat",
    "tag": "single_object",
    "seconds": dict.fromkeys([*PHASES, "total"], 1.0),
    "calls": {phase: dict.fromkeys(KINDS, 1) for phase in PHASES},
}


def done(index, images=("0.png",), sha256=("0",), **changes):
    """A finished prompt's record."""
    return Record(index=index, images=list(images), sha256=list(sha256), **MEASURED | changes)


def failed(index, error="the reward was not finite"):
    return Record(index=index, prompt="a photo of a cat", tag="single_object", error=error)


def stored(folder, indices=(3, 5)):
    store = CellStore(folder)
    with store.locked():
        for index in indices:
            names, digests = store.write_images(index, METADATA, PIXELS)
            store.append(done(index, names, digests))
    return store


def test_images_lie_in_geneval_s_layout_and_read_back(tmp_path):
    from bench.store.images import read

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
    store.append(failed(9))
    store.append(failed(3, "later"))
    assert store.done() == {5}


def test_a_line_cut_off_by_a_crash_is_dropped_and_the_next_does_not_join_it(tmp_path):
    store = stored(tmp_path)
    with store.records_path.open("a") as file:
        file.write('{"index": 7, "ima')
    assert store.done() == {3, 5}
    with store.locked():
        store.append(done(8))
    assert set(read_records(store.records_path).by_index) == {3, 5, 8}


def test_a_line_cut_off_is_dropped_from_a_long_file_of_long_lines_too(tmp_path):
    store = CellStore(tmp_path)
    for index in range(4):
        store.append(done(index, info={"pad": "x" * 100_000}))
    with store.records_path.open("a") as file:
        file.write('{"index": 4, "pad": "' + "x" * 200_000)
    store.append(done(5))
    found = read_records(store.records_path)
    assert set(found.by_index) == {0, 1, 2, 3, 5} and not found.torn


def test_a_corrupt_line_in_the_middle_is_an_error_naming_file_and_line(tmp_path):
    store = stored(tmp_path)
    lines = store.records_path.read_text().splitlines()
    store.records_path.write_text("\n".join([lines[0], "garbage", lines[1]]) + "\n")
    with pytest.raises(BenchError, match=r"records\.jsonl, line 2"):
        store.done()


def test_a_line_damaged_at_the_end_is_cut_with_its_newline_and_one_before_it_is_an_error(tmp_path):
    store = stored(tmp_path)
    whole = store.records_path.read_bytes()
    store.records_path.write_bytes(whole + b"\xff\xfe\x00\n")
    assert read_records(store.records_path).torn and store.done() == {3, 5}
    store.append(done(8))
    assert store.records_path.read_bytes().startswith(whole + b'{"index": 8')
    store.records_path.write_bytes(whole + b"\xff\n" + whole)
    with pytest.raises(BenchError, match=r"line 3, is not a record; delete that line"):
        store.done()


def test_images_are_held_against_their_digests(tmp_path):
    notes = []
    store = CellStore(stored(tmp_path).folder, notes.append)
    image = tmp_path / "images" / "00005" / "samples" / "0000.png"
    image.write_bytes(image.read_bytes() + b"x")
    (tmp_path / "images" / "00003" / "metadata.jsonl").unlink()
    assert store.done() == set()
    assert [n.rsplit("/", 1)[1].split(":")[0] for n in notes] == [
        "metadata.jsonl is missing",
        "0000.png is not the image that was recorded",
    ]
    notes.clear()
    assert store.done(among={5}) == set() and len(notes) == 1


def test_what_a_crash_left_of_an_image_is_no_image_and_goes(tmp_path):
    store = stored(tmp_path, ())
    left = tmp_path / ".partial-00003" / "samples"
    left.mkdir(parents=True)
    (left / "0007.png").write_bytes(b"torn")
    names, _ = store.write_images(3, METADATA, PIXELS)
    assert names == ["00003/samples/0000.png", "00003/samples/0001.png"]
    assert sorted(p.name for p in tmp_path.rglob("*.png")) == ["0000.png", "0001.png"]
    assert not list(tmp_path.glob(".partial*"))


def test_a_disk_that_refuses_a_record_leaves_no_part_of_it(tmp_path, monkeypatch):
    store = stored(tmp_path)
    before = store.records_path.read_bytes()

    def refuse(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError, match=r"no space left for .*records"):
        store.append(done(9))
    assert store.records_path.read_bytes() == before


def test_canonical_records_leave_out_what_clock_and_machine_decide():
    measured = {"memory": {"allocated": 1}, "judge_seconds": 2.0, "batch": {}, "device": "cpu"}
    timed = {"yardstick": {"vanilla": 1.0, "method": 2.0}}
    told = canonical(done(1, torch="2", **measured, **timed))
    assert told == canonical(done(1, **timed)) and told["yardstick"] is True
    assert not {"seconds", "device", *measured} & set(told)
    assert canonical(done(1))["yardstick"] is False
    assert canonical(failed(1, "no"))["error"] == "no"


def test_nan_is_refused_rather_than_written(tmp_path):
    store = stored(tmp_path)
    before = store.records_path.read_text()
    with pytest.raises(ValueError, match="JSON"):
        store.append(done(1, judge_seconds=float("nan")))
    assert store.records_path.read_text() == before


def test_two_writers_cannot_hold_one_cell(tmp_path):
    store = CellStore(tmp_path)
    with store.locked(), pytest.raises(BenchError, match="another process"), store.locked():
        pass


def test_shards_write_one_file_side_by_side_without_loss(tmp_path):
    import multiprocessing

    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(append_many, [(tmp_path, k) for k in range(3)])
    records = read_records(tmp_path / "records.jsonl")
    assert set(records.by_index) == set(range(60)) and not records.torn


def append_many(folder, k):
    store = CellStore(folder)
    with store.locked((k, 3)):
        for index in range(k, 60, 3):
            store.append(done(index, info={"pad": "x" * 5000}))


def test_a_record_comes_back_as_it_was_written(tmp_path):
    store = CellStore(tmp_path)
    record = done(
        3, scores={"clip": [0.5]}, geneval=[True], reasons=[[]], fields={"style": "oil"}, info={}
    )
    store.append(record)
    assert read_records(store.records_path).by_index == {3: record}


@pytest.mark.parametrize(
    ("old", "new"), [('"clip": [0.5]', '"clip": [9.0]'), ('"index": 3', '"index": 4')]
)
def test_an_edited_record_is_refused_with_its_line_wherever_it_stands(tmp_path, old, new):
    store = CellStore(tmp_path)
    for index in (3, 5):
        store.append(done(index, scores={"clip": [0.5]}))
    text = store.records_path.read_text()
    store.records_path.write_text(text.replace(old, new, 1))
    with pytest.raises(BenchError, match=r"line 1, was changed since it was written; put it back"):
        read_records(store.records_path)
    store.records_path.write_text(text.splitlines()[1].replace("0.5", "9.0") + "\n")
    with pytest.raises(BenchError, match=r"line 1, was changed"):
        store.done()


def test_records_of_earlier_versions_carry_no_seal_and_are_counted(tmp_path):
    path = tmp_path / "records.jsonl"
    lines = [json.dumps(done(index).plain()).encode() for index in range(3)]
    path.write_bytes(b"".join(line + b"\n" for line in [*lines[:2], sealed(lines[2])]))
    assert read_records(path).unsealed == 2
    with pytest.raises(BenchError, match=rf"lines without a seal: 2; .*delete {tmp_path}"):
        CellStore(tmp_path).done()


def test_a_field_that_no_record_has_is_named(tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_bytes(sealed(json.dumps(done(1).plain() | {"colour": 3}).encode()) + b"\n")
    with pytest.raises(BenchError, match=r"line 1, prompt 1: .*'colour'"):
        read_records(path)


CONFIG = {
    "cell": "a-0",
    "seed": 0,
    "prompts": {"total": 2},
    "torch": "2",
    "threads": 1,
    "yardstick_every": 4,
}


def test_an_edited_configuration_is_believed_by_nobody(tmp_path):
    path = tmp_path / "config.yaml"
    assert describe(path, CONFIG) == describe(path, CONFIG) == []
    assert {k: v for k, v in read_config(path).items() if k != "seal"} == CONFIG
    path.write_text(path.read_text().replace("seed: 0", "seed: 1"))
    with pytest.raises(BenchError, match=r"config\.yaml was changed since it was written; put it"):
        read_config(path)
    with pytest.raises(BenchError, match=r"seed is 1, ran with 0; put it back, or delete it"):
        describe(path, CONFIG)


def test_more_prompts_are_written_into_a_configuration_and_fewer_are_not(tmp_path):
    path = tmp_path / "config.yaml"
    for asked, kept in ((2, 2), (5, 5), (3, 5)):
        assert describe(path, CONFIG | {"prompts": {"total": asked}}) == []
        assert read_config(path)["prompts"]["total"] == kept and "seal" in read_config(path)


def test_another_cell_s_configuration_is_not_taken_for_its_own(tmp_path):
    describe(tmp_path / "config.yaml", CONFIG)
    with pytest.raises(BenchError, match="cell is a-0, ran with b-1"):
        describe(tmp_path / "config.yaml", CONFIG | {"cell": "b-1"})
