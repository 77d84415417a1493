"""``python -m bench compare A B``: why do two runs differ?

A and B are two cells' folders, or two experiments' folders, whose cells are matched by name, else
by method and the fewest settings that differ. Shows how the runs were made, their results on the
prompts that both finished, and ends in one line that says why they differ. Exit code 0 where they
are identical, 1 where they differ, 2 where they cannot be compared.

With --fail-if, for continuous integration, what counts is how much B changed: exit code 3 where a
condition fails, its whole 95% interval beyond the threshold, else 0; 2 as before. Such as

  python -m bench compare A B --fail-if "cost>5%" --fail-if "geneval<-2%"

Of cost (seconds relative to vanilla), seconds and calls the relative change counts, of geneval,
diversity and each score the difference; a % is of A's mean, and of geneval a hundredth.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench import stats
from bench.errors import BenchError
from bench.report.comparison import Comparison, Run, compare, read_run
from bench.report.table import spelled
from bench.report.thresholds import Checked, check, parse
from bench.store.config import differences

WHOLE = 10_000  # columns of a file: nothing is wrapped
PADDING = 3  # columns between two of a table
Rows = Sequence[Sequence[Any]]


def read_folder(folder: Path) -> list[Run]:
    """A cell's folder as one run, an experiment's as its cells. Raises BenchError for another."""
    if (folder / "config.yaml").is_file():
        return [read_run(folder)]
    paths = sorted(path.parent for path in folder.glob("cells/*/config.yaml"))
    if not paths:
        raise BenchError(
            f"{folder} is neither a cell's folder (it holds config.yaml) nor an experiment's "
            "(it holds cells/*/config.yaml)"
        )
    return [read_run(path) for path in paths]


def match(a: Sequence[Run], b: Sequence[Run]) -> tuple[list[tuple[Run, Run]], list[Run]]:
    """Pairs of cells, and those without a partner; each cell is in one pair at most."""
    if len(a) == len(b) == 1:
        return [(a[0], b[0])], []
    distances = sorted(
        (
            one.folder.name != two.folder.name,
            len(differences(one.settings, two.settings)),
            i,
            j,
        )
        for i, one in enumerate(a)
        for j, two in enumerate(b)
        if one.method == two.method
    )
    pairs: dict[int, int] = {}
    for *_, i, j in distances:
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    alone = [run for i, run in enumerate(a) if i not in pairs]
    alone += [run for j, run in enumerate(b) if j not in pairs.values()]
    return [(a[i], b[j]) for i, j in sorted(pairs.items())], alone


def conclusion(found: Comparison) -> str:
    """One line."""
    causes = found.causes
    if "method.name" in causes:  # its settings are another method's
        names = " → ".join(map(str, found.settings["method.name"]))
        causes = [f"method ({names})", *(c for c in causes if not c.startswith("method."))]
    made = f"differ in: {', '.join(causes)}" if causes else ""
    around = ", ".join(key for key in found.surroundings if key != "yardstick_every")
    if not causes:
        made = "same settings, code and weights" + (f"; {around} differ" if around else "")
    if not found.common:
        return f"{made}; no finished prompt in common, so no results to compare"
    if found.identical is None:
        images = "images unknown: a record has no digests"
    elif found.identical == found.common:
        images = "same images"
    else:
        images = f"images of {found.common - found.identical} of {found.common} prompts differ"
    if found.same:
        return f"{made}, {images}: identical"
    parts = [made, images]
    if found.only != (0, 0):
        parts.append(f"{found.only[0]} prompts are in A alone, {found.only[1]} in B alone")
    if found.identical == found.common != found.records:
        parts.append(f"records of {found.common - found.records} prompts differ")
    return "; ".join(parts)


def show(found: Comparison, console: Console) -> None:
    """The comparison as tables."""
    console.print(Text(f"A  {found.a}\nB  {found.b}"))
    rows = [[key, *pair] for key, pair in found.settings.items()]
    if found.code[0] != found.code[1]:
        rows.append(["code", *found.code])
    rows += [[f"weights.{key}", *pair] for key, pair in found.weights.items()]
    rows += [[key, *pair] for key, pair in found.surroundings.items()]
    _table(console, "How they were made: what differs", ("", "A", "B"), rows)
    counts: Rows = [
        ["prompts finished", *found.prompts],
        ["prompts failed", *found.failed],
        ["in one alone", *found.only],
    ]
    _table(console, "Prompts", ("", "A", "B"), counts)
    if not found.common:
        return
    same: Rows = [
        ["images, byte for byte", "unknown" if found.identical is None else found.identical],
        ["verdicts", found.common - found.verdicts],
        ["calls", found.common - found.calls],
        ["records but for time and machine", found.records],
    ]
    _table(console, f"Of {found.common} common prompts the same", ("", "prompts"), same)
    means = dict.fromkeys(found.changes) | found.means
    numbers: Rows = [
        [
            name,
            *map(_short, pair or (None, None)),
            _interval(found.changes.get(name)),
            _short(found.largest.get(name)),
        ]
        for name, pair in means.items()
    ]
    columns = ("", "A", "B", "B − A, paired [95%]", "largest |A − B|")
    _table(console, "Means over these", columns, numbers)
    if found.changed:
        names = list(found.changed[0].scores)
        judged = any(any(c.correct) for c in found.changed)
        correct = ("correct A", "correct B") if judged else ()
        columns = ("", "prompt", *correct, *names)
        changed = [
            [
                *(c.index, c.prompt, *(map(_marks, c.correct) if judged else ())),
                *(_change(c.scores.get(n)) for n in names),
            ]
            for c in found.changed
        ]
        _table(console, "Prompts that changed most", columns, changed)


def _interval(value: stats.Interval | None) -> str:
    if value is None:
        return ""
    return spelled(value, "{:+z.4f}") + (", a tie" if value.tie else "")


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _marks(verdicts: Sequence[bool]) -> str:
    return f"{sum(map(bool, verdicts))} of {len(verdicts)}" if verdicts else ""


def _change(pair: tuple[float, float] | None) -> str:
    return "" if pair is None else f"{pair[0]:.4g} → {pair[1]:.4g}"


def _table(console: Console, title: str, columns: Sequence[str], rows: Rows) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    needed = 1
    for place, name in enumerate(columns):
        words = [str(row[0]) for row in rows] if place == 0 else name.split()
        width = max(map(len, words), default=0)  # a key is not broken, nor a word of a heading
        needed += width + PADDING
        table.add_column(name, overflow="fold", min_width=width)
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    console.width = max(console.width, needed)
    console.print(table)


def plain(node: Any) -> Any:
    """For JSON: NaN, which it has not, as null."""
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    if isinstance(node, float) and not math.isfinite(node):
        return None
    return node


def told(found: Comparison, checked: Sequence[Checked], as_json: bool, console: Console) -> None:
    """Print a pair's comparison and what became of the conditions."""
    if as_json:
        line = asdict(found) | {"conclusion": conclusion(found)}
        line |= {"conditions": [asdict(one) for one in checked]} if checked else {}
        print(json.dumps(plain(line)))
        return
    show(found, console)
    for said in (conclusion(found), *map(str, checked)):
        console.print(Text(said, style="bold"), soft_wrap=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", type=Path, metavar="A")
    parser.add_argument("b", type=Path, metavar="B")
    parser.add_argument("--json", action="store_true", help="one JSON object a pair, a line each")
    parser.add_argument(
        "--fail-if", action="append", default=[], metavar="CONDITION", help="such as 'cost>5%%'"
    )
    options = parser.parse_args(arguments)
    try:
        conditions = [parse(text) for text in options.fail_if]
        pairs, alone = match(read_folder(options.a), read_folder(options.b))
        if not pairs:
            raise BenchError(f"{options.a} and {options.b} have no method in common")
        checked = [[check(condition, *pair) for condition in conditions] for pair in pairs]
        found = [compare(*pair) for pair in pairs]
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    console = Console() if sys.stdout.isatty() else Console(width=WHOLE)
    for each, own in zip(found, checked, strict=True):
        told(each, own, options.json, console)
    for run in alone:
        if options.json:
            print(json.dumps({"alone": str(run.folder)}))
        else:
            console.print(Text(f"{run.folder} has no partner"), soft_wrap=True)
    if conditions:
        return 3 if any(one.outcome == "fails" for own in checked for one in own) else 0
    return 0 if all(each.same for each in found) and not alone else 1
