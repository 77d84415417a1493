"""What the README and its companions say can be done, and how much of it there is."""

import re
import shlex
import sys

import pytest
from omegaconf import OmegaConf

from bench.config.cell import make_cell
from bench.config.compose import CONF, cell_settings, composed, experiment_name
from bench.config.listing import main as listing
from bench.config.overrides import check_command_line, expand, jobs, written_out
from bench.run.job import cell_lines
from bench.store.config import SHARED

ROOT = CONF.parent
README, SCALE = (ROOT / "README.md").read_text(), (ROOT / "SCALE.md").read_text()
WHOLE = (README + SCALE).replace("\\\n", " ")
COMMANDS = re.findall(r"^(?:\| [^|]*\| `)?python -m bench ([^`\n]*)", WHOLE, re.MULTILINE)
RUNS = [
    line
    for line in (shlex.split(command, comments=True) for command in COMMANDS)
    if not line or line[0] not in ("compare", "list")
]
NUMBERS = {7: "seven", 8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}


def first(line):
    """The overrides of a command's first job."""
    every, _ = jobs(line)
    return next(every)


def test_commands_that_end_in_one_folder_can_share_its_report():
    assert len(RUNS) > 15
    kept = {}
    for line in RUNS:
        overrides = first(line)
        config = composed(overrides)
        shared = tuple(OmegaConf.select(config, key) for key in SHARED)
        kept.setdefault(experiment_name(config, overrides), set()).add(shared)
    assert all(len(found) == 1 for found in kept.values()), kept
    assert {"demo", "runs_miniature", "runs_mixture", "runs_sdxl"} <= kept.keys()


@pytest.mark.parametrize(("text", "command"), [(README, "python -m bench  "), (SCALE, "pip ins")])
def test_the_environment_is_entered_before_the_first_command_that_needs_it(text, command):
    assert ". .venv/bin/activate" in text[: text.index(command)]


def test_the_demo_has_as_many_methods_as_is_said():
    lines = [own for line in cell_lines(composed([]).cells) for own in expand(line)]
    count = NUMBERS[len({own[0] for own in lines})]
    assert f"make demo        # {count} methods" in README
    assert f"# {count.capitalize()} methods" in (CONF / "experiment" / "demo.yaml").read_text()


@pytest.mark.parametrize("target", re.findall(r"`make ([\w-]+)`", README + SCALE))
def test_a_target_that_is_named_is_in_the_makefile(target):
    rules = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}:", rules, re.MULTILINE)
    if target == "test-scale-out":
        recipe = rules.partition(f"\n{target}:")[2].split("\n\n")[0]
        assert "-e '.[scale-out]'" in recipe and "tests/test_scale_out.py" in recipe


def test_a_suggestion_of_random_weights_names_a_backbone_that_has_them():
    for file in CONF.rglob("experiment/**/*.yaml"):
        prose = " ".join(file.read_text().replace("#", " ").split())
        if "weights=random does" in prose:
            assert "backbone=sd15 weights=random does" in prose, file


OWN = (ROOT / "docs" / "own.md").read_text()
OWN_FILES = re.findall(r"`([\w./]+)`:\n\n```\w+\n(.*?)```", OWN, re.DOTALL)


@pytest.mark.parametrize("command", re.findall(r"^guidance-bench (.*)$", OWN, re.MULTILINE))
def test_a_command_on_components_of_one_s_own_is_valid(command, tmp_path, monkeypatch):
    assert len(OWN_FILES) == 3
    for name, text in OWN_FILES:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    words = shlex.split(command)
    if words[0] == "list":
        assert listing(words[1:]) == 0
    else:
        written = written_out(words)
        check_command_line(written)
        assert make_cell(cell_settings(written, []))
