"""A user's own prompts from the command line to records: judged, scored, refused, gone on with."""

import json
from pathlib import Path

import pytest
import yaml

import bench
from bench.__main__ import command
from bench.config.cell import identity, make_cell
from bench.config.compose import cell_settings, composed, experiment_name
from bench.errors import BenchError
from bench.geneval.prompts import generate, to_jsonl
from bench.judge import judges
from bench.report.build import build
from bench.run.cells import run_cell
from bench.store.records import read_records

TOY = ["method=vanilla", "steps=2", "images=2", "yardstick_every=3"]
MINE = "a cat,pets,\na car on a street,,7\na cat,pets,again\n"


@pytest.fixture
def mine(tmp_path) -> Path:
    path = tmp_path / "mine.csv"
    path.write_text(f"prompt,category,note\n{MINE}")
    return path


def of(path, *overrides):
    given = [*TOY, "prompts=file", f"prompts.path={path}", "judge=none", *overrides]
    return make_cell(cell_settings(given, []))


def run(cell, results):
    folder = run_cell(cell, results, lambda: None)
    return folder, read_records(folder / "records.jsonl").by_index


def test_any_prompts_are_scored_without_a_detector(mine, tmp_path):
    folder, records = run(of(mine), tmp_path)
    assert [r.prompt for _, r in sorted(records.items())] == ["a cat", "a car on a street"]
    for record in records.values():
        assert record.error is None and not {"geneval", "reasons"} & set(record.plain())
        assert {name: len(values) for name, values in record.scores.items()} == {
            "preference": 2,
            "clip": 2,
            "jpeg": 2,
        }
        assert record.diversity > 0 and record.calls["denoise"]["denoiser"] == 2 * 2 * 2
    assert (records[0].tag, records[1].tag) == ("pets", "all")
    assert records[1].fields == {"category": "", "note": "7"}
    metadata = json.loads((folder / "images/00001/metadata.jsonl").read_text())
    assert metadata == {"tag": "all", "category": "", "note": "7", "prompt": "a car on a street"}
    images = bench.load(tmp_path).set_index(["index", "image"])
    assert images.loc[1, "field.note"].tolist() == ["7", "7"] and images["score.clip"].notna().all()
    page = build(tmp_path).read_text()
    assert "| diversity |" in page and "| clip |" in page


def test_without_scores_nothing_is_loaded_or_recorded(mine, tmp_path, monkeypatch):
    monkeypatch.setattr(judges, "load_reward", lambda *at: pytest.fail("loaded"))
    _, records = run(of(mine, "scores=[]"), tmp_path)
    assert records[0].geneval is records[0].scores is records[0].diversity is None
    assert "| diversity |" not in build(tmp_path).read_text()


def test_a_file_with_geneval_s_metadata_is_judged_by_geneval(tmp_path):
    path = tmp_path / "some.jsonl"
    path.write_text(to_jsonl(generate()[100:102]))
    _, records = run(of(path, "judge=miniature"), tmp_path)
    assert all(len(r.geneval) == 2 and r.fields is None for r in records.values())


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "it has no include clauses of GenEval"),
        ({"include": []}, "it has no include clauses of GenEval"),
        ({"include": "cat"}, "it has no include clauses of GenEval"),
        ({"include": [{"class": "cat"}]}, "lacks 'count'"),
        ({"include": [3]}, "its clauses are malformed"),
        ({"include": [{"class": "cst", "count": 1}]}, "'cst' is no class .* did you mean 'cat'"),
        ({"include": [{"class": "cat", "count": 1, "color": "gren"}]}, "did you mean 'green'"),
    ],
)
@pytest.mark.parametrize("judge", ["miniature", "mask2former"])
def test_a_prompt_that_a_detector_cannot_judge_is_refused(tmp_path, metadata, message, judge):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"prompt": "a cat", **metadata}))
    wanted = rf"judge={judge} cannot judge prompt 0 \('a cat'\): .*{message}.*judge=none records"
    with pytest.raises(BenchError, match=wanted):
        of(path, f"judge={judge}")


def test_editing_the_file_makes_another_cell_and_moving_it_does_not(mine):
    before = identity(of(mine), {})
    moved = mine.rename(mine.with_name("moved.csv"))
    assert identity(of(moved), {}) == before
    moved.write_text(moved.read_text() + "a dog,pets,\n")
    assert identity(of(moved), {}) != before


def test_raising_the_number_of_prompts_goes_on_with_the_same_cell(tmp_path):
    path = tmp_path / "six.txt"
    path.write_text("".join(f"a photo of {n} cats\n" for n in range(6)))
    folder, first = run(of(path, "scores=[]", "prompts.per_task=2"), tmp_path)
    again, records = run(of(path, "scores=[]", "prompts.limit=5"), tmp_path)
    assert again == folder and len(first) == 2 and len(records) == 5
    assert (folder / "records.jsonl").read_text().count("\n") == 5, "what was done is kept"
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["prompts"]["total"] == 5 and config["prompts"]["limit"] == 5
    run(of(path, "scores=[]", "prompts.limit=1"), tmp_path)
    assert yaml.safe_load((folder / "config.yaml").read_text()) == config


def test_the_command_takes_every_prompt_of_a_file_and_says_what_it_leaves_out(
    mine, tmp_path, capsys
):
    given = [f"prompts.path={mine}", "prompts=file", *TOY]
    assert command([f"results={tmp_path / 'results'}", *given, "judge=none", "scores=[]"]) == 0
    assert "prompts left out because their text had come before: 1" in capsys.readouterr().out
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.startswith("runs_miniature_judge_none_prompts_source_file")
    (records,) = folder.glob("cells/*/records.jsonl")
    assert records.read_text().count("\n") == 2
    assert command([f"results={tmp_path}", *given]) == 2
    assert "no include clauses of GenEval; judge=none records" in capsys.readouterr().err


def test_other_prompts_go_to_a_folder_of_their_own(mine):
    own = ["method=lidar", "prompts=file", f"prompts.path={mine}"]
    name = "runs_miniature_prompts_source_file_prompts_path_mine"
    assert experiment_name(composed(own), own) == name
