"""What the README and docs/ say can be done: commands, links, and code that runs."""

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec

import diffusers
import pytest
from omegaconf import OmegaConf

from bench.__main__ import command
from bench.config.cell import make_cell
from bench.config.compose import CONF, cell_settings, composed, experiment_name
from bench.config.listing import main as listing
from bench.config.overrides import check_command_line, expand, jobs, written_out
from bench.report.thresholds import parse
from bench.run.job import cell_lines
from bench.store.config import SHARED
from bench.store.schema import NAMES
from bench.weights.__main__ import main as weights

ROOT = CONF.parent
README = (ROOT / "README.md").read_text()
DOCS = {path.name: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES = {"README.md": README, **{f"docs/{name}": text for name, text in DOCS.items()}}
# Pages whose commands are about files that they contain: `name`:, then the file as a block.
FILES = {
    page: re.findall(r"`([\w./]+)`:\n\n```\w+\n(.*?)```", DOCS[page], re.DOTALL)
    for page in ("own.md", "own-method.md")
}
WHOLE = "\n".join(text for page, text in PAGES.items() if page.removeprefix("docs/") not in FILES)
WHOLE = WHOLE.replace("\\\n", " ")
# Commands begin a line, of a block or of a table.
BEGIN = r"^(?:\| [^|]*\| `)?python -m "
COMMANDS = re.findall(BEGIN + r"bench ([^`\n]*)", WHOLE, re.MULTILINE)
RUNS = [
    line
    for line in (shlex.split(command, comments=True) for command in COMMANDS)
    if not line or line[0] not in ("compare", "list")
]
ONCE = list({" ".join(line): line for line in RUNS}.values())
NUMBERS = {7: "seven", 8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a page's files into a folder, which is then the current one and on the path."""

    def write(page):
        for name, text in FILES[page]:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:  # a page may go on with a file
                file.write(text)
            monkeypatch.delitem(sys.modules, path.stem, raising=False)
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
        return tmp_path

    return write


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


@pytest.mark.parametrize("line", ONCE, ids=" ".join)
def test_a_command_is_of_a_cell_that_can_run(line, written):
    """Of each command the first cell of its first job, composed and checked; no model is loaded."""
    folder = written("own.md")
    (folder / "my_prompts.txt").write_text("a photo of a cat\n")
    (folder / "FOLDER").mkdir()
    (folder / "FOLDER" / "model_index.json").write_text("{}")
    overrides = first(line)
    named = any(o.startswith("method=") for o in overrides)
    cells = [] if named else list(cell_lines(composed(overrides).cells))
    make_cell(cell_settings(overrides, expand(cells[0])[0] if cells else []))


@pytest.mark.parametrize("module", sorted(set(re.findall(BEGIN + r"([\w.]+)", WHOLE, re.M))))
def test_a_module_that_a_command_names_can_be_run(module):
    spec = find_spec(module)
    assert spec is not None
    if spec.submodule_search_locations:  # a package
        assert find_spec(f"{module}.__main__")


def test_the_commands_for_weights_name_backbones_and_students_that_there_are(capsys):
    lines = re.findall(BEGIN + r"bench\.weights ([^`\n]*)", WHOLE, re.MULTILINE)
    for words in {line.partition("#")[0] for line in lines}:
        action, *others = words.split()
        assert action in ("list", "fetch", "check")
        assert weights(["list", *others]) == 0, words
        if "--students" in others:
            assert re.search(r"dmd2 [^\n]* (no|yes) ", capsys.readouterr().out)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_that_there_are(page):
    for target in re.findall(r"\]\(([^)#]+)\)", PAGES[page]):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


def test_the_code_for_ones_own_pipeline_runs(pipeline, monkeypatch):
    """Every block of the page in turn, on a tiny pipeline in the place of the one that it loads."""
    kind = diffusers.StableDiffusionPipeline
    monkeypatch.setattr(kind, "from_pretrained", lambda name: pipeline)
    monkeypatch.setattr(kind, "to", lambda self, place: self)
    found: dict = {}
    for block in re.findall(r"```python\n(.*?)```", DOCS["own-pipeline.md"], re.DOTALL):
        exec(block, found)
    assert len(found["made"].images) == len(found["vanilla"].images) == 2
    assert found["made"].rewards != found["vanilla"].rewards


def test_the_code_for_a_data_frame_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toy = ["prompts.per_task=1", "prompts.limit=2", "steps=2", "images=2", "method=vanilla"]
    assert command([*toy, "experiment_name=demo"]) == 0
    found: dict = {}
    for block in re.findall(r"```python\n(.*?)```", DOCS["records.md"], re.DOTALL):
        exec(block, found)
    assert len(found["images"]) == 4 and found["means"].notna().all(axis=None)
    columns = re.findall(r"`([a-z.]+)(?:<\w+>)?`", DOCS["records.md"].partition("| column |")[2])
    assert {"cell", "field.", "calls."} <= {*columns}
    told = tuple(columns)
    assert all(column.startswith(told) for column in found["images"])


def test_conditions_of_a_comparison_can_be_parsed():
    compared = [shlex.split(line, comments=True) for line in COMMANDS if line.startswith("compare")]
    conditions = [word for words in compared for word in words if "%" in word]
    assert {parse(text).metric for text in conditions} == {"cost", "geneval"}


def test_every_key_of_a_record_is_described():
    table = DOCS["records.md"].partition("## A record\n")[2].partition("## As a data frame")[0]
    assert {*NAMES, "seal"} <= {*re.findall(r"`(\w+)`", table)}


SCALE = DOCS["scale-out.md"]


@pytest.mark.parametrize(("text", "command"), [(README, "python -m bench  "), (SCALE, "pip ins")])
def test_the_environment_is_entered_before_the_first_command_that_needs_it(text, command):
    assert ". .venv/bin/activate" in text[: text.index(command)]


def test_the_demo_has_as_many_methods_as_is_said():
    lines = [own for line in cell_lines(composed([]).cells) for own in expand(line)]
    count = NUMBERS[len({own[0] for own in lines})]
    assert f"make demo        # {count} methods" in README
    assert f"# {count.capitalize()} methods" in (CONF / "experiment" / "demo.yaml").read_text()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"`make ([\w-]+)`", WHOLE))))
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


COMMAND = r"^(?:guidance-bench|python -m bench) (.*)$"
OWN = [(page, line) for page in FILES for line in re.findall(COMMAND, DOCS[page], re.MULTILINE)]


@pytest.mark.parametrize(("page", "command"), OWN)
def test_a_command_on_components_of_one_s_own_is_valid(page, command, written):
    written(page)
    words = shlex.split(command, comments=True)
    if words[0] == "list":
        assert listing(words[1:]) == 0
        return
    arguments = written_out(words)
    check_command_line(arguments)
    every, _ = jobs(arguments)
    for overrides in every:
        folder = [a for a in arguments if a.startswith("hydra.searchpath")]
        assert make_cell(cell_settings([*folder, *overrides], []))


def test_the_parts_of_a_method_of_one_s_own_pass_the_conformance_suite(written):
    folder = written("own-method.md")
    (named,) = re.findall(r"make conformance PART=(\S+)", DOCS["own-method.md"])
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    suite += [str(ROOT / "tests" / "methods" / "test_conformance.py"), "--rootdir", str(ROOT)]
    path = os.pathsep.join([str(ROOT), str(folder)])
    env = {**os.environ, "PART": named, "PYTHONPATH": path}
    done = subprocess.run(suite, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 80
