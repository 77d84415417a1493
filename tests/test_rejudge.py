"""``python -m bench.judge`` on a results folder: records become what this version would write."""

import shutil
from dataclasses import replace

import pytest

from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.judge import judges
from bench.judge.__main__ import main
from bench.run.cells import run_cell
from bench.store.config import read_config, write_config
from bench.store.records import encode, read_records

TOY = ["prompts.limit=2", "steps=2", "images=2", "yardstick_every=3", "method=vanilla"]
NEW = ("detections", "extras", "strict", "doubt", "distinct")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory):
    """Two cells, by two scores."""
    results = tmp_path_factory.mktemp("sampled")
    for seed in (0, 1):
        given = cell_settings([*TOY, f"seed={seed}", "scores=[preference,clip]"], [])
        run_cell(make_cell(given), results, lambda: None)
    return results


@pytest.fixture
def earlier(sampled, tmp_path):
    """The same as a version wrote them that kept no detections, and knew other verdicts."""
    results = shutil.copytree(sampled, tmp_path / "earlier")
    for path in results.glob("cells/*/config.yaml"):
        config = {key: value for key, value in read_config(path).items() if key != "seal"}
        write_config(path, config | {"code": "0123456789abcdef"})
        records = path.with_name("records.jsonl")
        old = [
            replace(record, geneval=[False] * 2, reasons=[["nothing"]] * 2, **dict.fromkeys(NEW))
            for record in read_records(records)
        ]
        records.write_bytes(b"".join(map(encode, old)))
    return results


@pytest.fixture
def calls(monkeypatch):
    """The prompts judged, in order; the third call is interrupted where ``stop`` is put in."""
    made, judge = [], judges.ImageJudge.judge

    def counted(self, metadata, images):
        if "stop" in made and len(made) == 4:
            raise KeyboardInterrupt
        made.append(metadata["prompt"])
        return judge(self, metadata, images)

    monkeypatch.setattr(judges.ImageJudge, "judge", counted)
    return made


def records(results):
    return {p: list(read_records(results / p)) for p in ("", *cells(results)) if p}


def cells(results):
    return [f"cells/{p.name}/records.jsonl" for p in sorted((results / "cells").iterdir())]


def test_records_of_an_earlier_version_become_those_that_this_one_writes(sampled, earlier):
    assert records(earlier) != records(sampled)
    assert main([str(earlier)]) == 0
    assert records(earlier) == records(sampled)
    assert all(record.detections for own in records(earlier).values() for record in own)


def test_further_scores_are_added_and_nothing_else_changes(sampled, earlier, calls):
    assert main([str(earlier), "scores=[jpeg]"]) == 0
    for own, others in zip(records(earlier).values(), records(sampled).values(), strict=True):
        for now, before in zip(own, others, strict=True):
            assert list(now.scores) == ["preference", "clip", "jpeg"]
            kept = {name: now.scores[name] for name in before.scores}
            assert replace(now, scores=kept) == before
    config = read_config(next(earlier.glob("cells/*/config.yaml")))
    assert config["scores"][-1] == "jpeg" and config["weights"]["jpeg"] == "jpeg-95"
    assert len(calls) == 4
    assert main([str(earlier), "scores=[jpeg]"]) == 0
    assert len(calls) == 4  # judged already


def test_a_record_without_an_added_score_is_judged_though_its_cell_was(earlier, calls):
    assert main([str(earlier), "scores=[jpeg]"]) == 0
    path = earlier / cells(earlier)[0]
    first, last = read_records(path)
    last = replace(last, scores={name: last.scores[name] for name in ("preference", "clip")})
    path.write_bytes(encode(first) + encode(last))
    assert main([str(earlier)]) == 0
    assert all("jpeg" in record.scores for record in read_records(path))
    assert len(calls) == 6


def test_a_killed_command_goes_on_with_the_cell_that_it_was_at(sampled, earlier, calls):
    calls.append("stop")
    with pytest.raises(KeyboardInterrupt):
        main([str(earlier)])
    calls.clear()
    assert main([str(earlier)]) == 0
    assert len(calls) == 2
    assert records(earlier) == records(sampled)


def test_an_image_that_was_changed_is_refused_and_its_cell_stays(earlier, capsys):
    before = {p: (earlier / p).read_bytes() for p in cells(earlier)}
    image = sorted(earlier.glob("cells/*/images/*/samples/0000.png"))[0]
    image.write_bytes(image.with_name("0001.png").read_bytes())
    assert main([str(earlier)]) == 1
    assert f"{image} is not the image that was recorded" in capsys.readouterr().err
    changed, whole = cells(earlier)
    assert (earlier / changed).read_bytes() == before[changed]
    assert (earlier / whole).read_bytes() != before[whole]


def test_other_weights_than_those_of_the_cell_are_refused(earlier, capsys):
    path = sorted(earlier.glob("cells/*/config.yaml"))[0]
    config = {key: value for key, value in read_config(path).items() if key != "seal"}
    write_config(path, config | {"weights": config["weights"] | {"clip": "others"}})
    assert main([str(earlier)]) == 1
    assert "the weights of clip are not those" in capsys.readouterr().err


def test_a_cell_s_judge_is_its_own(earlier, capsys):
    for arguments in (["--judge", "miniature"], ["judge.batch=3"]):
        assert main([str(earlier), *arguments]) == 2
        assert "only scores=[…] can be added" in capsys.readouterr().err
