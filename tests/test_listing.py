"""python -m bench list: every name of the configuration, with a line and its needs."""

import subprocess
import sys

import pytest

from bench.config.compose import CONF, groups, paths
from bench.config.listing import LISTS, about, composed_needs, defaults, main


def rows(name):
    return [[str(cell) for cell in column.cells] for column in LISTS[name]([]).columns]


@pytest.mark.parametrize("name", ["experiments", "methods", "backbones"])
def test_every_name_has_a_line(name):
    names, lines, needs = rows(name)
    assert names == groups()[name.removesuffix("s")]
    assert all(lines), [n for n, line in zip(names, lines, strict=True) if not line]
    assert name == "methods" or all(needs)


def test_rewards_are_listed_with_their_weights():
    names, lines, needs = rows("rewards")
    assert all(lines) and {"imagereward", "clip", "preference", "linear"} <= set(names)
    assert needs[names.index("imagereward")] == "rewards=pretrained: 1.8 GB"  # 1.79 + a vocabulary
    assert needs[names.index("preference")] == "rewards=miniature: no weights"


def test_prompts_are_listed_with_what_they_need():
    names, lines, needs = rows("prompts")
    assert names == groups()["prompts"] and all(lines)
    assert dict(zip(names, needs, strict=True))["geneval"] == "nothing"
    assert dict(zip(names, needs, strict=True))["drawbench"] == "prompts.path"


def test_a_line_is_the_comment_s_first_sentence_without_the_command():
    path = CONF / "experiment" / "paper" / "table2.yaml"
    assert about(path) == "The main comparison, by both target solvers"


def test_needs_add_up_what_a_backbone_a_judge_and_rewards_pin():
    assert composed_needs("backbone=miniature") == "miniature: no weights; CPU"
    # backbone 2.13, Mask2Former 0.28, CLIP 1.71 (shared by judge, reward and aesthetic),
    # ImageReward 1.79, HPS 1.97, PickScore 3.94, the aesthetic head's 1.22
    gb = float(composed_needs("backbone=sd15").split(": ")[1].split(" GB")[0])
    assert gb == pytest.approx(2.13 + 0.28 + 1.71 + 1.79 + 1.97 + 3.94 + 1.22, abs=0.06)
    assert "distilled denoisers" in composed_needs("backbone=sdxl")
    assert composed_needs("experiment=cost_sdxl") == "sdxl: random weights; GPU recommended"


def test_defaults_are_those_of_a_file_and_of_what_it_builds_on():
    known = paths("method")
    assert list(defaults(known["lidar_smc_bon"], known)) == [
        ("/efr@efr", ["lookahead", "tweedie"]),
        ("/steer@steer", ["guidance", "smc"]),
        ("/steer@steer", ["best_of_n"]),
    ]


def test_an_unknown_list_is_explained(capsys):
    assert main(["method"]) == 2
    assert "did you mean 'methods'" in capsys.readouterr().err


def test_the_list_starts_without_torch():
    code = "import sys; from bench.__main__ import command; code = command(['list', 'methods'])\n"
    code += "assert 'torch' not in sys.modules; sys.exit(code)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "lookahead × guidance" in done.stdout


def test_square_brackets_of_a_heading_are_text(capsys):
    assert main(["experiments"]) == 0
    assert "experiment=NAME [backbone=NAME] [scale=quick]" in capsys.readouterr().out
