"""What a run tells of itself where there is no terminal, and where there is one."""

import re
from io import StringIO

import pytest
from rich.console import Console

from bench.config.cell import make_cell
from bench.config.compose import cell_settings
from bench.run.cells import run_cells
from bench.run.progress import duration, progress_on


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def plain():
    return Console(file=StringIO(), width=40)


def test_lines_come_at_once_at_most_every_half_minute_and_at_the_end_of_each_cell():
    console, clock = plain(), Clock()
    with progress_on(console, 96, clock) as progress:
        progress.begin("vanilla")
        assert console.file.getvalue() == "96 prompts, vanilla first: loading its models\n"
        clock.now += 50  # loading counts for nothing in the time left
        progress.skip(6)
        for _ in range(6):
            clock.now += 12
            progress.advance()
        for _ in range(36):
            clock.now += 1
            progress.advance()
        progress.end()
        progress.begin("a method with a name that is longer than the console is wide")
    lines = console.file.getvalue().splitlines()
    assert lines[1:] == [
        "prompt 7 of 96, vanilla, 17 min 48 s left",
        "prompt 10 of 96, vanilla, 17 min 12 s left",
        "prompt 18 of 96, vanilla, 8 min 27 s left",
        "prompt 48 of 96, vanilla, 2 min 3 s left",
    ]
    assert not {"\x1b", "\r"} & set(console.file.getvalue())


def test_prompts_that_an_earlier_run_has_done_say_nothing_of_the_time_left():
    console, clock = plain(), Clock()
    with progress_on(console, 4, clock) as progress:
        progress.begin("lidar")
        progress.skip(4)
        progress.end()
    assert console.file.getvalue().splitlines()[1:] == ["prompt 4 of 4, lidar"]


def test_a_remark_is_one_line_however_narrow_the_console():
    console = plain()
    with progress_on(console, 4) as progress:
        progress.say("[lidar] prompt 7 failed: " + "x" * 60)
    assert console.file.getvalue() == "[lidar] prompt 7 failed: " + "x" * 60 + "\n"


def test_a_terminal_gets_a_bar():
    console = Console(file=StringIO(), width=100, force_terminal=True)
    with progress_on(console, 4) as progress:
        progress.begin("lidar")
        progress.skip(1)
        progress.advance()
    assert "lidar" in console.file.getvalue() and "2/4" in console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (190, "3 min 10 s"), (7500, "2 h 5 min")],
)
def test_a_duration_is_said_in_its_two_largest_units(seconds, said):
    assert duration(seconds) == said


def test_a_run_writes_plain_lines_to_a_file(tmp_path):
    toy = ["prompts.per_task=1", "prompts.limit=2", "steps=1", "images=1", "judge=none"]
    cells = [make_cell(cell_settings([*toy, f"seed={seed}"], [])) for seed in (0, 1)]
    console = plain()
    assert not run_cells(cells, tmp_path, console).problems
    first, *others = console.file.getvalue().splitlines()
    # Where loading takes half a minute, there are lines between.
    heading, one, two = (said for said in others if not said.startswith("prompt "))
    assert first == "4 prompts, vanilla first: loading its models"
    assert heading.split() == "cell method GenEval preference cost / vanilla s/prompt".split()
    means = r"  vanilla  +–  +-?\d\.\d{3}  +\d+\.\d\d×  +[\d.]+"
    assert re.fullmatch(rf" +1/2{means}, \d+ s left", one)
    assert re.fullmatch(rf" +2/2{means}", two)
