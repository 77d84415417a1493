"""Reading a results folder: coverage, torn lines, nonsense, labels."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from synthetic import records_of

from bench.report import sections, style, table
from bench.report.build import build
from bench.report.evidence import gather
from bench.report.load import load
from bench.report.notes import notes
from bench.report.summary import summarize
from bench.store.cells import read_cells


def test_frames_agree_with_the_raw_records(folder: Path) -> None:
    _, raw = records_of(folder, "ug")
    results = load(folder)
    row = summarize(results).loc["ug0123456789"]
    by_tag = {t: [m for r in raw if r["tag"] == t for m in r["geneval"]] for t in synthetic.TAGS}
    assert row.geneval == pytest.approx(np.mean([np.mean(marks) for marks in by_tag.values()]))
    clip = np.mean([v for r in raw for v in r["scores"]["clip"]])
    assert row["score.clip"] == pytest.approx(clip)
    assert row.seconds == pytest.approx(np.median([r["seconds"]["total"] for r in raw]))
    timed = [r["yardstick"] for r in raw if r["yardstick"]]
    ratio = sum(y["method"] for y in timed) / sum(y["vanilla"] for y in timed)
    assert row.cost == pytest.approx(ratio)
    assert row["cost.prompts"] == len(timed) == 8
    assert row["cost.prepare"] + row["cost.denoise"] + row["cost.decode"] == pytest.approx(ratio)
    assert (row["calls.denoiser"], row["calls.denoiser_backward"]) == (800, 400)
    assert len(results.images) == 3 * 24 * 4


def test_failed_and_unfinished_prompts_are_admitted_on_top(folder: Path) -> None:
    path, records = records_of(folder, "lidar")
    records[4] = synthetic.failed(4, "out of memory")
    synthetic.write(path, records[:-2])
    text = build(folder).read_text()
    assert text.count("Not complete: lidar partial: 21 of 24 prompts (1 failed).") == 1  # on top
    assert "compared with vanilla on 21 common prompts of 24" in text
    assert "lidar: prompt 4 failed: out of memory" in text
    row = pd.read_csv(folder / "tables" / "results.csv").set_index("label").loc["lidar"]
    assert (row.done, row.total, row.failed, row["geneval.change.prompts"]) == (21, 24, 1, 21)
    assert "| lidar \\* |" in (folder / "tables" / "results.md").read_text()


def test_a_change_is_measured_on_the_common_prompts_only(folder: Path) -> None:
    path, records = records_of(folder, "lidar")
    synthetic.write(path, records[6:])
    _, vanilla = records_of(folder, "vanilla")
    for record in vanilla[:6]:  # would spoil a difference of the two means
        record["scores"]["clip"] = [100.0] * 4
    synthetic.write(records_of(folder, "vanilla")[0], vanilla)
    row = summarize(load(folder)).loc["lidar0123456789"]
    pairs = [
        np.mean(a["scores"]["clip"]) - np.mean(b["scores"]["clip"])
        for a, b in zip(records[6:], vanilla[6:], strict=True)
    ]
    assert row["score.clip.change"] == pytest.approx(np.mean(pairs))
    assert row["score.clip.change.prompts"] == 18


def test_a_prompt_short_of_an_image_shows_in_the_coverage(folder: Path) -> None:
    path, records = records_of(folder, "ug")
    for key in ("images", "geneval", "reasons"):
        records[0][key].pop()
    for values in records[0]["scores"].values():
        values.pop()
    synthetic.write(path, records)
    assert load(folder).cells.coverage["ug0123456789"] == "partial: 95 of 96 images"


def test_a_torn_last_line_is_skipped_with_a_note(folder: Path) -> None:
    path, _ = records_of(folder, "ug")
    with (path / "records.jsonl").open("a") as file:
        file.write('{"index": 24, "pro')
    results = load(folder)
    assert len(results.of("ug0123456789")) == 24
    assert any("last line" in note for note in results.notes)


def test_a_corrupt_line_elsewhere_names_file_and_line(folder: Path) -> None:
    path, _ = records_of(folder, "ug")
    lines = (path / "records.jsonl").read_text().splitlines()
    (path / "records.jsonl").write_text("\n".join([*lines[:2], "{", *lines[3:]]))
    with pytest.raises(ValueError, match=r"records\.jsonl, line 3"):
        load(folder)


def test_a_prompt_that_failed_and_was_tried_again_counts_once(folder: Path) -> None:
    path, records = records_of(folder, "ug")
    synthetic.write(path, [synthetic.failed(3, "lost"), *records])
    cell = load(folder).cells.loc["ug0123456789"]
    assert (cell.done, cell.failed, cell.coverage) == (24, 0, "")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda r: r[1].update(index=0), "prompt 0 is not the same text"),
        (lambda r: r[1].update(prompt="another"), "prompt 1 is not the same text"),
        (lambda r: r[1]["scores"].update(clip=[0.1, None, 0.1, 0.1]), "not a number"),
        (lambda r: r[1]["scores"].update(clip=[0.1, float("nan"), 0.1, 0.1]), "is not a record"),
        (lambda r: r[0]["yardstick"].update(vanilla=0.0), "prompt 0: yardstick seconds"),
        (lambda r: r[1]["geneval"].pop(), "prompt 1: 4 images, but values for"),
        (lambda r: r[1].pop("calls"), "prompt 1: missing or malformed field 'prepare'"),
        (lambda r: r.append(r[1] | {"index": 99}), "more prompts or images than the config"),
    ],
)
def test_records_that_make_no_sense_are_refused(folder: Path, spoil, message: str) -> None:
    path, records = records_of(folder, "ug")
    spoil(records)
    synthetic.write(path, records)
    with pytest.raises(ValueError, match=message):
        load(folder)


def test_two_guiding_rewards_in_one_folder_are_refused(folder: Path) -> None:
    synthetic.cell(folder, "smc", reward="clip")
    with pytest.raises(ValueError, match="2 different values of reward"):
        load(folder)


def notes_of(folder: Path) -> list[str]:
    results = load(folder)
    return notes(results, summarize(results))


def test_labels_of_equal_settings_say_what_else_differs(tmp_path: Path) -> None:
    def one(name: str, file: str = "a.csv", source: str = "s0urce", **changes) -> None:
        listing = {"total": 24, "path": f"/home/{file}", "sha256": f"5ha-{file}"}
        sources = {"rewards.mine.red": source}
        own = {"prompts": listing, "reward": "mine.red", "sources": sources} | changes
        synthetic.cell(tmp_path, "lidar", name=name, pictures=False, **own)

    def labels() -> set[str]:
        return {label.removeprefix("lidar ") for label in read_cells(tmp_path).label}

    one("lidar-a")
    one("lidar-b", code="88edf9aa00")
    assert labels() == {"(code c0de)", "(code 88edf9)"}
    one("lidar-b2", code="88edf9aa00", images=1)
    assert labels() == {
        "(images 4, code c0de)", "(images 4, code 88edf9)", "(images 1, code 88edf9)"
    }  # fmt: skip
    for name in ("lidar-b", "lidar-b2"):
        shutil.rmtree(tmp_path / "cells" / name)
    one("lidar-c", file="b.csv")
    assert labels() == {"(prompts a.csv)", "(prompts b.csv)"}
    shutil.rmtree(tmp_path / "cells" / "lidar-c")
    one("lidar-d", source="other0digest")
    assert labels() == {"(mine.red s0urce)", "(mine.red other0)"}
    synthetic.cell(tmp_path, "vanilla", pictures=False, reward="mine.red", prompts={"total": 24})
    assert any("the guiding reward is not the same" in line for line in notes_of(tmp_path))
    shutil.rmtree(tmp_path / "cells" / "vanilla0123456789")
    shutil.rmtree(tmp_path / "cells" / "lidar-d")
    one("lidar-e")
    assert labels() == {"[idar-a]", "[idar-e]"}


def test_scores_that_did_not_guide_stand_with_their_change_to_vanilla(
    folder: Path, undrawn: None
) -> None:
    build(folder)
    found = pd.read_csv(folder / "tables" / "scores.csv").set_index("method")
    assert list(found) == ["P(better)", "preference (guides)", "clip", "jpeg", "diversity"]
    assert re.fullmatch(r"0\.2\d\d, -0\.0\d\d \[-0\.0\d\d, -0\.0\d\d\]", found["clip"]["ug"])
    assert found["clip"]["vanilla"].endswith(", reference")


def test_variants_of_one_method_get_labels_that_tell_them_apart(tmp_path: Path) -> None:
    for n in (50, 200):
        settings = {"name": "lidar", "efr": {"lookahead": {"n": n, "steps": 5}}}
        synthetic.cell(tmp_path, "lidar", name=f"cell{n}", method=settings)
    synthetic.cell(tmp_path, "ug", name="first00", seed=0)
    synthetic.cell(tmp_path, "ug", name="second0", seed=1)
    synthetic.cell(tmp_path, "smc", name="aaaaaa00")
    synthetic.cell(tmp_path, "smc", name="bbbbbb00")
    synthetic.cell(tmp_path, "vanilla")
    results = load(tmp_path)
    assert results.cells.label.tolist() == [
        "vanilla", "lidar (n 50)", "lidar (n 200)", "smc [aaaa00]", "smc [bbbb00]",
        "ug (seed 0)", "ug (seed 1)",
    ]  # fmt: skip
    looks = style.looks(summarize(results))
    assert looks["lidar (n 50)"].color == looks["lidar (n 200)"].color
    assert len({look.marker for look in looks.values()}) == 7


def test_an_unfinished_cell_is_listed_but_not_in_the_tables(folder: Path) -> None:
    synthetic.write(synthetic.cell(folder, "smc"), [])
    results = load(folder)
    summary = summarize(results)
    assert "smc: partial: 0 of 24 prompts" in results.notes
    assert table.result_display(results, summary).method.tolist() == ["vanilla", "lidar", "ug"]
    [part] = sections.provenance_section(gather(results)).parts
    assert part.shown.prompts.tolist()[2] == "0 of 24"


def test_cells_of_two_judges_are_not_compared(folder: Path) -> None:
    synthetic.cell(folder, "smc", judge={"name": "mask2former", "kind": "mask2former"})
    with pytest.raises(ValueError, match=r"2 different values of judge .*mask2former"):
        load(folder)


def test_verdicts_of_an_untested_detector_are_no_scores(tmp_path: Path) -> None:
    for method in ("vanilla", "ug"):
        synthetic.cell(tmp_path / "a", method, weights={"judge": "untested weights: tiny"})
        synthetic.cell(tmp_path / "b", method, weights={"judge": "0123"})
    untested, tested = (summarize(load(tmp_path / name)) for name in "ab")
    assert untested.geneval.isna().all() and untested["geneval.change"].isna().all()
    assert tested.geneval.notna().all()
    same = ["score.clip", "score.clip.change", "cost"]
    pd.testing.assert_frame_equal(untested[same], tested[same])
    notes = load(tmp_path / "a").notes
    assert sum("a detector that has proved nothing" in note for note in notes) == 2
    page_of = build(tmp_path / "a").read_text()
    assert "GenEval by task" not in page_of and (tmp_path / "a" / "figures" / "grid.png").is_file()


def test_a_record_that_lacks_only_its_scores_is_an_error(folder: Path) -> None:
    path, records = synthetic.records_of(folder, "lidar")
    del records[3]["scores"]
    synthetic.write(path, records)
    with pytest.raises(ValueError, match=r"missing or malformed field 'scores'"):
        load(folder)


@pytest.mark.parametrize("tag", ["all", ""])
def test_prompts_that_nothing_judged_are_compared_by_the_guiding_reward(tmp_path, tag) -> None:
    synthetic.cell(tmp_path, "vanilla", pictures=False)
    for n in (9, 50):
        synthetic.cell(
            tmp_path, "lidar", name=f"lidar-n{n}", method=synthetic.lidar(n=n), pictures=False
        )
    for every in (1, 5):
        of = {"name": "date", "steer": {"embedding": {"every": every, "scale": 0.1}}}
        synthetic.cell(tmp_path, "date", name=f"date-e{every}", method=of, pictures=False)
    for path in (tmp_path / "cells").iterdir():
        records = synthetic.read(path)
        for record in records:
            del record["geneval"], record["reasons"]
            record["tag"] = tag
        synthetic.write(path, records)
    text = build(tmp_path).read_text()
    assert "no GenEval: scores and costs" in text and "GenEval by task" not in text
    assert "preference (guides) \\[95%\\]" in text and "figures/score_preference_vs_cost" in text
    results = load(tmp_path)
    row = summarize(results).loc["date-e1"]
    gaps = (
        results.of("date-e1")["score.preference"]
        - results.of("vanilla0123456789")["score.preference"]
    )
    assert row["score.preference.change"] == pytest.approx(gaps.mean())
    found = {one.method: one for one in gather(results).speedups}
    assert found["date"].faster is not None
    assert "| 1 |" not in text  # the claim about GenEval


def test_an_edited_score_or_setting_stops_the_report_and_names_the_file(folder: Path) -> None:
    path, _ = records_of(folder, "ug")
    whole = (path / "records.jsonl").read_text()
    head, _, tail = whole.partition('"clip": [')
    (path / "records.jsonl").write_text(head + '"clip": [9.0' + tail[tail.index(",") :])
    with pytest.raises(ValueError, match=r"ug0123456789/records\.jsonl, line 1, was changed"):
        build(folder)
    (path / "records.jsonl").write_text(whole)
    config = path / "config.yaml"
    config.write_text(config.read_text().replace("steps: 50", "steps: 51"))
    with pytest.raises(ValueError, match=r"ug0123456789/config\.yaml was changed since"):
        build(folder)


def test_records_without_a_seal_are_read_and_counted(folder: Path) -> None:
    path, records = records_of(folder, "ug")
    lines = [json.dumps(record) + "\n" for record in records]
    (path / "records.jsonl").write_text("".join(lines))
    assert any(
        note.startswith("records or settings without a seal: 24;") for note in load(folder).notes
    )
