"""``python -m bench.judge`` on folders that anybody made."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.geneval.prompts import generate
from bench.judge.__main__ import main
from bench.judge.judges import proven
from bench.miniature.golden import FOLDER, pictures

sys.path.insert(0, str(Path(__file__).parent / "geneval"))
import tiny_judge as tiny

TINY = ["--judge", "mask2former", "judge.weights=tiny", "judge.device=cpu", "judge.shorter=64"]
OTHER = next(r for r in generate() if r["prompt"] == "a photo of a zebra")


def write(folder: Path, number: int, metadata: dict, images: list[Image.Image]) -> None:
    place = folder / f"{number:05d}"
    (place / "samples").mkdir(parents=True)
    (place / "metadata.jsonl").write_text(json.dumps(metadata))
    for i, image in enumerate(images):
        image.save(place / "samples" / f"{i:04d}.png")


@pytest.fixture
def scenes(tmp_path) -> Path:
    """The golden scenes under their own prompts, and one of them under another's."""
    files = [Image.open(FOLDER / picture.name) for picture in pictures()]
    for number, picture in enumerate(pictures()):
        write(tmp_path, number, picture.metadata, [files[number]])
    write(tmp_path, 4, OTHER, [files[0], files[1]])
    return tmp_path


@pytest.fixture
def mixed(tmp_path) -> Path:
    """Images of several sizes and modes."""
    rng = np.random.default_rng(0)
    sizes = [(40, 40), (40, 40), (60, 33), (40, 40)]
    images = [Image.fromarray(rng.integers(0, 256, (h, w, 3)).astype(np.uint8)) for w, h in sizes]
    images[3] = images[3].convert("L")
    write(tmp_path, 0, OTHER, images)
    return tmp_path


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "judged.jsonl").read_text().splitlines()]


def test_scenes_are_judged_by_the_miniature_s_judge(scenes, capsys):
    assert main([str(scenes)]) == 0
    found = lines(scenes)
    assert [line["correct"] for line in found] == [True] * 4 + [False, False]
    assert found[0]["filename"] == "00000/samples/0000.png"
    for line in found:
        assert json.loads(line["metadata"])["prompt"] == line["prompt"]
        assert (
            line["reason"] == "\n".join(line["reasons"]) and bool(line["reason"]) != line["correct"]
        )
        assert set(line) >= {"filename", "tag", "prompt", "correct", "reasons"}
    shares = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines()[:-1])
    assert shares.pop("overall") == "0.8000"
    assert shares == {"two_object": "1.0000", "counting": "1.0000", "position": "1.0000",
                      "color_attr": "1.0000", "single_object": "0.0000"}  # fmt: skip


def test_the_result_is_written_anew_each_time(scenes):
    for _ in range(2):
        assert main([str(scenes)]) == 0
    assert len(lines(scenes)) == 6


def test_images_of_any_size_are_judged_by_the_tiny_detector_and_called_no_scores(mixed, capsys):
    assert main([str(mixed), *TINY, "judge.longer=128"]) == 0
    assert [line["filename"][-8:] for line in lines(mixed)] == [f"000{i}.png" for i in range(4)]
    shown = capsys.readouterr()
    assert "(4 images of 1 prompts)" in shown.out and "these are not scores" in shown.err


def test_an_image_s_verdict_does_not_depend_on_its_neighbors(mixed, tmp_path):
    """Two sizes in turn are judged as each alone."""
    from bench.geneval.detector import verdicts
    from bench.judge.__main__ import find, judge_samples
    from bench.store.images import from_bytes, read

    judge = tiny.judge()
    ((metadata, samples),) = find(mixed)
    metadata = {"tag": "single_object", "include": [{"class": "person", "count": 1}]}
    names = {n for s in samples for d in judge.examine(from_bytes(read([s]))) for n in d.boxes}
    assert names
    for name in sorted(names):
        metadata["include"][0]["class"] = name
        together = [v.correct for v in judge_samples(judge, metadata, samples)]
        assert together == [
            verdicts(judge, metadata, from_bytes(read([s])))[0].correct for s in samples
        ]


@pytest.mark.parametrize(
    ("damage", "arguments", "message"),
    [
        (lambda f: None, ["judge.batch=0", *TINY], "judge.batch must be an integer >= 1"),
        (lambda f: None, ["judge.bach=2", *TINY], "did you mean 'judge.batch'"),
        (lambda f: None, [], "takes any size"),
        (lambda f: (f / "00000/metadata.jsonl").unlink(), [], "expected GenEval's layout"),
        (lambda f: (f / "00000/metadata.jsonl").write_text("{"), [], "is no JSON object"),
        (lambda f: (f / "00000/metadata.jsonl").write_text("{}"), [], "lacks include, prompt, tag"),
        (
            lambda f: (f / "00000/metadata.jsonl").write_text(
                '{"tag": "x", "prompt": "a cat", "include": []}'
            ),
            [],
            "it has no include clauses of GenEval",
        ),
        (lambda f: (f / "00000/samples/0001.png").write_bytes(b"x"), TINY, "not an image"),
        (lambda f: [p.unlink() for p in f.glob("*/samples/*")], [], "a missing image is not"),
    ],
)
def test_what_cannot_be_judged_is_one_clear_line(mixed, capsys, damage, arguments, message):
    damage(mixed)
    assert main([str(mixed), *arguments]) == 2
    shown = capsys.readouterr().err
    assert message in shown and "Traceback" not in shown


def test_a_broken_detector_judges_nothing(mixed, tmp_path_factory, capsys):
    proven.cache_clear()
    folder = tiny.write_weights(tmp_path_factory.mktemp("weights"))
    arguments = [*TINY, f"judge.weights={folder}", "judge.longer=128"]
    assert main([str(mixed), *arguments]) == 2
    assert "the judge's detector is broken and must not score" in capsys.readouterr().err
    assert not (mixed / "judged.jsonl").exists()
