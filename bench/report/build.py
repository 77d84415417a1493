"""The report that suits a results folder: of pictures, of problems with a known answer, or of
several domains beside each other."""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from shlex import quote

import pandas as pd
from rich.console import Console

from bench.report import files, table
from bench.store.config import SHARED, leaves, read_config

PAGES = {"truth": "bench.report.truth.page", "molecules": "bench.report.molecules"}
SOME = 3  # cells of a group that are named


def build(folder: Path, show: bool = False, only: Collection[str] | None = None) -> Path:
    """Write the report into ``folder``, on the cells named ``only``; returns the path of report.md.

    report.html lies beside it; ``show`` prints the main table, the notes and the page's path.
    Raises ValueError where there is no cell, where cells cannot share a report, and where records
    make no sense.
    """
    paths = sorted(folder.glob("cells/*/config.yaml"))
    paths = [path for path in paths if only is None or path.parent.name in only]
    cells = {path.parent.name: leaves(read_config(path)) for path in paths}
    found = pd.DataFrame({name: _shared(cell) for name, cell in cells.items()}, dtype=str).T
    groups = [list(own.index) for _, own in found.groupby(list(found))] if cells else []
    if cells and _of_domains(cells, found):
        room = "bench.report.domains.page"
    elif len(groups) > 1:
        raise ValueError("\n".join(_apart(folder, found, sorted(groups, key=len)[::-1])))
    else:
        room = PAGES.get(found["kind"].iloc[0] if cells else "", "bench.report.page")
    module = import_module(room)
    with uncollected():
        report = module.report(folder, only)
        page, source = files.write(report.document, folder)
    if show:
        console = Console()
        table.show(report.brief, report.title, console)
        for line in report.lines:
            console.print(f"- {line}", markup=False, highlight=False)
        print(page)
    return source


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the garbage collector: a report makes millions of objects and few of them in cycles,
    and to walk through all of them again and again takes a third of its time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _shared(cell: dict[str, object]) -> dict[str, str]:
    """What cells of one report have in common: the kind, and for pictures `SHARED`."""
    kind = str(cell.get("judge.kind"))
    own = {key: "none" if kind == "truth" else str(cell.get(key, "unknown")) for key in SHARED}
    return own | {"kind": kind if kind in PAGES else "pictures"}


def _of_domains(cells: Mapping[str, Mapping[str, object]], found: pd.DataFrame) -> bool:
    """Whether these are cells of several backbones, those of each backbone alike; backbones whose
    target is known share a report of their own."""
    backbones = pd.Series({name: str(cell.get("backbone.name")) for name, cell in cells.items()})
    alike = found.groupby(backbones).nunique() <= 1
    several = backbones.nunique() > 1 and bool((found["kind"] != "truth").any())
    return several and bool(alike.all(axis=None))


def _apart(folder: Path, found: pd.DataFrame, groups: list[list[str]]) -> Iterator[str]:
    """That cells cannot share a report: each group, how it differs, and the command for it."""
    yield f"{folder} holds cells that cannot share a report; choose some of them:"
    differing = [key for key in found if found[key].nunique() > 1]
    for group in groups:
        what = ", ".join(f"{key} {found[key][group[0]]}" for key in differing)
        count = f"{len(group)} cell{'s' if len(group) > 1 else ''}"
        some = ", ".join(group[:SOME]) + (", …" if len(group) > SOME else "")
        others = {_method(name) for name in found.index if name not in group}
        # Patterns that match the group's cells alone: a method's where it is in no other group.
        globs = [n if _method(n) in others else f"'{_method(n)}-*'" for n in group]
        yield f"  {what}: {count} ({some})"
        chosen = " ".join(dict.fromkeys(globs))
        yield f"    python -m bench.report {quote(str(folder))} --only {chosen}"


def _method(cell: str) -> str:
    return cell.rpartition("-")[0]
