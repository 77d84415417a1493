"""``python -m bench.weights list|fetch|check [BACKBONE …] [key=value …]``.

list   what each backbone needs with its rewards and judge: gigabytes, where it goes, what is there
fetch  download what is missing or damaged; afterwards everything works without a network
check  whether what is there is whole, by the hub's checksums: every byte is read
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace

if __name__ == "__main__":
    from bench.__main__ import main as entry

    sys.exit(entry("weights"))

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.config.compose import cell_settings, groups
from bench.config.overrides import written_out
from bench.errors import BenchError
from bench.weights.hub import fetch
from bench.weights.needs import Need, needs
from bench.weights.source import cache, damaged, found, locate
from methods.settings import one_of


def wanted(words: Sequence[str], students: Sequence[str]) -> list[Need]:
    """The needs of the backbones among ``words`` under its overrides, each place once.

    ``students`` by name, or "all": what is optional otherwise.
    """
    overrides = written_out([w for w in words if "=" in w])
    known = groups(overrides)["backbone"]
    names = [w for w in words if "=" not in w] or known
    every: dict[str, Need] = {}
    for name in names:
        try:
            one_of("backbone", name, known)
        except ValueError as error:
            raise BenchError(str(error)) from None
        for need in needs(cell_settings([f"backbone={name}", *overrides], [])):
            student = need.what.rsplit(".", 1)[-1]
            if "all" in students or student in students:
                need = replace(need, optional=False)
            every.setdefault(f"{need.source.name} {need.source.files}", need)
    return list(every.values())


def show(every: Sequence[Need], console: Console) -> None:
    table = Table("for", "from", "GB", "here")
    for need in every:
        here = "yes" if found(need.source) else "optional" if need.optional else "no"
        row = (need.what, need.source.name, f"{need.source.gb:.2f}", here)
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)
    missing = sum(n.source.gb for n in every if not found(n.source) and not n.optional)
    console.print(f"missing: {missing:.1f} GB, to go into {cache()}", highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when everything needed is there (list: always), 1 where a check found something missing or
    damaged, 2 for an error."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.weights",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("action", choices=("list", "fetch", "check"))
    parser.add_argument("words", nargs="*", metavar="BACKBONE or key=value")
    parser.add_argument(
        "--students",
        default="",
        help="distilled denoisers to count in, separated by commas, or all",
    )
    options = parser.parse_intermixed_args(arguments)
    console = Console()
    try:
        every = wanted(options.words, [s for s in options.students.split(",") if s])
        if options.action == "fetch":
            for need in every:
                if not need.optional:
                    where = f"{need.what}: {need.source.name}, {need.source.gb:g} GB"
                    console.print(where, highlight=False)
                    fetch(need.source, need.what, need.key)
        if options.action != "check":
            show(every, console)
            return 0
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    students = ["--students", options.students] if options.students else []
    bad, words = 0, shlex.join([*options.words, *students])
    for need in every:
        if need.optional and not found(need.source):
            continue
        try:
            folder = locate(need.source, need.what, words)
            if path := damaged(need.source, folder):
                raise BenchError(f"the file {path} is damaged: {need.source.remedy(words)}")
            console.print(f"{need.what}: whole", highlight=False)
        except BenchError as error:
            bad += 1
            console.print(f"{need.what}: {error}", markup=False, highlight=False, soft_wrap=True)
    return 1 if bad else 0
