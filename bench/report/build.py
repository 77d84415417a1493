"""The report that suits a results folder: GenEval's, of problems with a known answer, of costs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import Any

from bench.store.config import SHARED, leaves, read_config

# By the kind of judge: what imports what it draws with only when it is wanted.
REPORTS = {
    "geneval": "bench.report.page",
    "truth": "bench.report.truth.page",
    "none": "bench.report.costs.page",
}


SOME = 3  # cells of a group that are named

Configs = Mapping[str, Mapping[str, Any]]  # a cell's name -> its config.yaml, flat


def build(folder: Path, show: bool = False, only: Collection[str] | None = None) -> Path:
    """Write the report into ``folder``, on the cells named ``only``; returns the path of report.md.

    report.html lies beside it; ``show`` prints its path. Raises FileNotFoundError where there is no
    cell, ValueError where the records make no sense or cells cannot share a report.
    """
    paths = sorted(folder.glob("cells/*/config.yaml"))
    paths = [path for path in paths if only is None or path.parent.name in only]
    cells = {path.parent.name: leaves(read_config(path)) for path in paths}
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, config in cells.items():
        groups.setdefault(_group(config), []).append(name)
    if len(groups) > 1:
        raise ValueError("\n".join(_apart(folder, cells, sorted(groups.values(), key=len)[::-1])))
    (kind, *_) = next(iter(groups), ("geneval",))
    path: Path = import_module(REPORTS[kind]).build(folder, show, only)
    return path


def _group(config: Mapping[str, Any]) -> tuple[Any, ...]:
    """The kind of report, and for GenEval's what its cells must have in common."""
    judge = config.get("judge.kind")
    kind = judge if judge in REPORTS else "geneval"
    return (kind, *(config.get(key) for key in SHARED if kind == "geneval"))


def _apart(folder: Path, cells: Configs, groups: list[list[str]]) -> Iterator[str]:
    """That cells cannot share a report: each group, how it differs, and the command for it."""
    yield f"{folder} holds cells that cannot share a report; choose some of them:"
    differing = [key for key in SHARED if len({cell.get(key) for cell in cells.values()}) > 1]
    for group in groups:
        values = {key: {str(cells[name].get(key, "none")) for name in group} for key in differing}
        what = ", ".join(f"{key} {' and '.join(sorted(found))}" for key, found in values.items())
        count = f"{len(group)} cell{'s' if len(group) > 1 else ''}"
        some = ", ".join(group[:SOME]) + (", …" if len(group) > SOME else "")
        chosen = " ".join(_globs(group, cells))
        yield f"  {what}: {count} ({some})"
        yield f"    python -m bench.report {quote(str(folder))} --only {chosen}"


def _globs(group: list[str], cells: Configs) -> list[str]:
    """Patterns that match the group's cells alone: a method's where it is in no other group."""
    others = {_method(name) for name in cells if name not in group}
    chosen = [name if _method(name) in others else f"'{_method(name)}-*'" for name in group]
    return list(dict.fromkeys(chosen))


def _method(cell: str) -> str:
    return cell.rpartition("-")[0]
