"""Why two runs differ: settings, code, weights, surroundings, prompts, images, results."""

import json
from copy import deepcopy

import pytest

from bench.report.compare import conclusion, main, match, read_folder
from bench.report.comparison import compare, read_run
from bench.store.config import write_config
from bench.store.schema import KINDS, PHASES

CONFIG = {
    "method": {"name": "lidar", "steer": {"guidance": {"scale": 1.0}}},
    "backbone": {"name": "miniature"},
    "seed": 0,
    "steps": 50,
    "yardstick_every": 4,
    "cell": "lidar-abc",
    "experiment": "demo",
    "code": "c0de",
    "weights": {"backbone": "b", "judge": "j"},
    "torch": "2.13.0",
    "threads": 1,
    "load_seconds": 3.0,
}
TASKS = ("single_object", "colors")


def record(index, correct=(True, False), score=0.5, **changes):
    return {
        "index": index,
        "prompt": f"a photo of {index} cats",
        "tag": TASKS[index % 2],
        "seed": 0,
        "device": "cpu",
        "torch": "2.13.0",
        "seconds": dict.fromkeys([*PHASES, "total"], 1.0 + index),
        "calls": {phase: dict.fromkeys(KINDS, 2) for phase in PHASES},
        "memory": None,
        "batch": {"images": 2},
        "yardstick": None,
        "judge_seconds": 0.1,
        "images": [f"{index:05d}/samples/000{i}.png" for i in range(2)],
        "sha256": [f"{index}-{i}" for i in range(2)],
        "geneval": list(correct),
        "reasons": [[], []],
        "scores": {"preference": [score, score]},
        "diversity": 0.25,
        "info": {},
        "error": None,
    } | changes


def cell(folder, records=None, **changes):
    """A cell's folder; ``changes`` of its settings by dotted key with _ for the dots."""
    config = deepcopy(CONFIG)
    for key, value in changes.items():
        node = config
        *path, last = key.split("__")
        for part in path:
            node = node[part]
        node[last] = value
    folder.mkdir(parents=True)
    write_config(folder / "config.yaml", config)
    lines = [record(i) for i in range(8)] if records is None else records
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in lines))
    return folder


def compared(a, b):
    return compare(read_run(a), read_run(b))


def test_a_run_and_its_repetition_are_identical_whatever_the_clock_says(tmp_path):
    slower = [
        record(i, judge_seconds=9.0, seconds=dict.fromkeys([*PHASES, "total"], 5.0))
        for i in range(8)
    ]
    found = compared(cell(tmp_path / "a"), cell(tmp_path / "b", slower, load_seconds=9.9))
    assert found.same and found.causes == [] and found.identical == found.records == 8
    assert conclusion(found) == "same settings, code and weights, same images: identical"
    assert found.means["seconds"] == (4.5, 5.0)
    assert found.changes["geneval"].value == 0 and found.changes["geneval"].tie


def test_what_was_set_otherwise_is_named_by_its_key(tmp_path):
    a = cell(tmp_path / "a")
    b = cell(tmp_path / "b", method__steer__guidance__scale=2.0, seed=1)
    found = compared(a, b)
    assert found.settings == {"method.steer.guidance.scale": (1.0, 2.0), "seed": (0, 1)}
    assert not found.same
    assert conclusion(found).startswith("differ in: method.steer.guidance.scale, seed; same images")


def test_another_method_is_one_difference_in_the_conclusion_and_many_in_the_table(tmp_path):
    b = cell(tmp_path / "b", method={"name": "ug", "efr": {"tweedie": {"scale": 1.0}}}, steps=9)
    found = compared(cell(tmp_path / "a"), b)
    assert "method.efr.tweedie.scale" in found.settings
    assert conclusion(found) == "differ in: method (lidar → ug), steps; same images"


def test_a_setting_that_one_run_lacks_is_a_difference(tmp_path):
    b = cell(tmp_path / "b", method__steer__smc={"ess": 0.5})
    assert compared(cell(tmp_path / "a"), b).settings == {"method.steer.smc.ess": ("–", 0.5)}


def test_code_weights_and_surroundings_are_told_apart(tmp_path):
    other = [record(i, device="GPU", torch="2.14.0") for i in range(8)]
    b = cell(tmp_path / "b", other, code="0ther", weights__judge="k", threads=8)
    found = compared(cell(tmp_path / "a"), b)
    assert found.causes == ["code", "weights.judge"] and found.settings == {}
    assert found.surroundings == {
        "torch": ("2.13.0", "2.14.0"),
        "threads": (1, 8),
        "device": ("cpu", "GPU"),
    }
    around = compared(cell(tmp_path / "c"), cell(tmp_path / "d", threads=8))
    assert "same settings, code and weights; threads differ, same images" in conclusion(around)


def test_results_are_held_against_each_other_prompt_by_prompt(tmp_path):
    records = [record(i) for i in range(8)]
    records[3] = record(3, correct=(True, True), score=0.9, sha256=["x", "y"])
    records[5] = record(5, score=0.6, sha256=["5-0", "z"])
    records[6] = record(6, calls={p: dict.fromkeys(KINDS, 3) for p in PHASES})
    found = compared(cell(tmp_path / "a"), cell(tmp_path / "b", records))
    assert (found.identical, found.verdicts, found.calls, found.records) == (6, 1, 1, 5)
    assert found.largest["preference"] == pytest.approx(0.4)
    assert found.largest["diversity"] == 0
    assert [c.index for c in found.changed] == [3, 5]
    assert found.changed[0].correct == ([True, False], [True, True])
    # One task's share goes from 1/2 to 5/8: the headline, a mean over two tasks, by 1/16.
    headline = found.changes["geneval"]
    assert headline.value == pytest.approx(1 / 16) and headline.low < 1 / 16 < headline.high
    assert found.changes["preference"].value == pytest.approx((0.4 + 0.1) / 8)
    assert "images of 2 of 8 prompts differ" in conclusion(found)


def test_prompts_of_one_run_alone_failed_ones_and_other_texts_are_not_compared(tmp_path):
    a = [record(i) for i in range(6)]
    b = [record(i) for i in range(2, 8)]
    b[0] = record(2, prompt="another text")
    b[1] = {k: record(3)[k] for k in ("index", "prompt", "tag")} | {"error": "RuntimeError: no"}
    found = compared(cell(tmp_path / "a", a), cell(tmp_path / "b", b))
    assert found.common == 2 and found.prompts == (6, 5) and found.failed == (0, 1)
    assert found.only == (4, 3) and not found.same
    assert "4 prompts are in A alone, 3 in B alone" in conclusion(found)


def test_runs_without_a_prompt_in_common_are_not_called_identical(tmp_path):
    found = compared(cell(tmp_path / "a", []), cell(tmp_path / "b", []))
    assert not found.same and "no finished prompt in common" in conclusion(found)


def test_runs_that_were_not_judged_are_compared_by_images_and_calls(tmp_path):
    judged = {"geneval", "reasons", "scores", "diversity"}
    bare = [{k: v for k, v in record(i).items() if k not in judged} for i in range(4)]
    found = compared(cell(tmp_path / "a", bare), cell(tmp_path / "b", bare))
    assert found.same and found.changes == {} and found.largest == {}


def test_records_without_digests_leave_the_images_unknown(tmp_path):
    bare = [{k: v for k, v in record(i).items() if k != "sha256"} for i in range(4)]
    found = compared(cell(tmp_path / "a", bare), cell(tmp_path / "b", bare))
    assert found.identical is None and not found.same and "unknown" in conclusion(found)


def test_cells_of_experiments_are_matched_by_name_then_by_the_fewest_differences(tmp_path):
    a, b = tmp_path / "a" / "cells", tmp_path / "b" / "cells"
    for name, scale in (("lidar-1", 1.0), ("lidar-2", 2.0), ("lidar-3", 3.0)):
        cell(a / name, method__steer__guidance__scale=scale)
    cell(b / "lidar-3", method__steer__guidance__scale=3.0)
    cell(b / "lidar-x", method__steer__guidance__scale=2.0, steps=10)
    cell(b / "vanilla-1", method__name="vanilla")
    pairs, alone = match(read_folder(tmp_path / "a"), read_folder(tmp_path / "b"))
    named = [(one.folder.name, two.folder.name) for one, two in pairs]
    assert named == [("lidar-2", "lidar-x"), ("lidar-3", "lidar-3")]
    assert sorted(run.folder.name for run in alone) == ["lidar-1", "vanilla-1"]


def test_the_command_ends_in_one_line_and_an_exit_code(tmp_path, capsys):
    a, b = cell(tmp_path / "a"), cell(tmp_path / "b")
    c = cell(tmp_path / "c", [record(i, score=i / 8, sha256=["x"]) for i in range(8)], steps=9)
    assert main([str(a), str(b)]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("identical")
    assert main([str(a), str(c)]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "differ in: steps; images of 8 of 8 prompts differ"
    assert "Prompts that changed most" in out and "a photo of 0 cats" in out


def test_for_machines_each_pair_is_one_line_of_json_without_nan(tmp_path, capsys):
    single = [record(0)]  # no interval from a single prompt
    assert (
        main([str(cell(tmp_path / "a", single)), str(cell(tmp_path / "b", single)), "--json"]) == 0
    )
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line, parse_constant=pytest.fail)
    assert found["changes"]["geneval"]["value"] == 0 and found["changes"]["geneval"]["low"] is None
    assert found["conclusion"].endswith("identical")


def test_bad_input_is_one_line(tmp_path, capsys):
    good = cell(tmp_path / "good")
    (tmp_path / "empty").mkdir()
    torn = cell(tmp_path / "torn")
    (torn / "config.yaml").write_text("method: [")
    nameless = cell(tmp_path / "nameless")
    (nameless / "config.yaml").write_text("steps: 3\n")
    broken = cell(tmp_path / "broken")
    lines = (broken / "records.jsonl").read_text().splitlines()
    (broken / "records.jsonl").write_text("\n".join([lines[0], "x", *lines[1:]]) + "\n")
    bare = cell(tmp_path / "bare", [{"index": 4, "prompt": "a", "tag": "b", "error": None}])
    other = cell(tmp_path / "other" / "cells" / "vanilla", method__name="vanilla").parent.parent
    many = cell(tmp_path / "many" / "cells" / "one").parent.parent
    cell(tmp_path / "many" / "cells" / "two")
    for wrong, message in (
        (tmp_path / "nowhere", "is neither a cell's folder"),
        (tmp_path / "empty", "is neither a cell's folder"),
        (torn, "cannot be read"),
        (nameless, "names no method"),
        (broken, "line 2, is not a record"),
        (bare, "line 1, prompt 4: missing or malformed field 'prepare'"),
    ):
        assert main([str(good), str(wrong)]) == 2
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ") and message in captured.err
        assert captured.err.count("\n") == 1 and captured.out == ""
    assert main([str(many), str(other)]) == 2
    assert "no method in common" in capsys.readouterr().err


def judged(folder, *, gain=0.0, slower=1.0, right=0, timed=True):
    """96 prompts whose score is ``gain`` higher, seconds ``slower`` times as many, and of whose two
    images ``right`` more are correct in one prompt of two; the noise on the gain is small."""
    records = []
    for index in range(96):
        noise = 0.01 * (index % 7 - 3)
        correct = [index % 3 == 0, index % 2 == 1 and bool(right)]
        seconds = 2.0 * slower * (1 + noise)
        records.append(
            record(index, correct=correct, score=1.0 + gain + noise * (gain != 0))
            | {"seconds": dict.fromkeys([*PHASES, "total"], seconds)}
            | {"yardstick": {"vanilla": 1.0 + 0.01 * (index % 5), "method": seconds}}
            | ({} if timed else {"yardstick": None})
        )
    return cell(folder, records)


@pytest.mark.parametrize(
    ("condition", "change", "code", "said"),
    [
        ("cost>5%", {"slower": 1.2}, 3, "cost>5%: fails, the change is +0.2 ["),
        ("cost>5%", {"slower": 1.02}, 0, "cost>5%: passes, the change is +0.02 ["),
        ("seconds > 0.05", {"slower": 1.2}, 3, "fails"),
        ("seconds<0", {"slower": 1.2}, 0, "passes"),
        ("geneval<-2%", {}, 0, "geneval<-2%: passes, the change is +0 ["),
        ("geneval>2%", {"right": 1}, 3, "fails"),
        ("preference<-10%", {"gain": -0.3}, 3, "fails"),
        ("preference<-0.3", {"gain": -0.3}, 0, "preference<-0.3: not decided, the change is"),
        ("calls>0%", {}, 0, "calls>0%: passes, the change is +0 ["),
        ("diversity<0", {}, 0, "passes"),
    ],
)
def test_a_condition_fails_only_where_the_whole_interval_is_beyond_it(
    tmp_path, capsys, condition, change, code, said
):
    a, b = judged(tmp_path / "a"), judged(tmp_path / "b", **change)
    assert main([str(a), str(b), "--fail-if", condition]) == code
    assert said in capsys.readouterr().out.splitlines()[-1]


def test_one_condition_that_fails_is_enough_and_machines_read_all_of_them(tmp_path, capsys):
    a, b = judged(tmp_path / "a"), judged(tmp_path / "b", slower=1.5)
    conditions = ["--fail-if", "geneval<-2%", "--fail-if", "cost>5%"]
    assert main([str(a), str(b), "--json", *conditions]) == 3
    found = json.loads(capsys.readouterr().out)["conditions"]
    assert [one["outcome"] for one in found] == ["passes", "fails"]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("cost=5%", "--fail-if must be a metric, > or <, and a number, such as 'cost>5%'"),
        ("cost>much", "got 'cost>much'"),
        ("gen_eval<-2%", "did you mean 'geneval'?"),
        ("cost>5%", "metric must be one of seconds, calls"),  # nothing was timed beside vanilla
    ],
)
def test_a_condition_that_says_nothing_is_one_line(tmp_path, capsys, condition, message):
    a, b = (judged(tmp_path / name, timed=False) for name in "ab")
    assert main([str(a), str(b), "--fail-if", condition]) == 2
    said = capsys.readouterr()
    assert message in said.err and said.err.count("\n") == 1 and said.out == ""


def test_a_single_prompt_decides_no_condition(tmp_path, capsys):
    a = cell(tmp_path / "a", [record(0)])
    b = cell(tmp_path / "b", [record(0, score=0.9)])
    assert main([str(a), str(b), "--fail-if", "preference>1%"]) == 0
    assert (
        capsys.readouterr()
        .out.splitlines()[-1]
        .endswith("not decided, the change is +0.4 (no interval)")
    )
