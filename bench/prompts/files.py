"""Rows of a file of prompts: text, CSV, TSV, JSON or JSON lines, in UTF-8.

Each row is a mapping with "prompt", "tag", and whatever else the file says. Errors name the file
and, where there is one, the line.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.prompts.choice import UNTAGGED, Metadata

TEXTS = ("prompt", "prompts", "text", "caption")  # names of the prompt's column, in any case
TAGS = ("tag", "task", "category")
LONGEST = 10_000  # characters of a prompt
BOM = "\ufeff"

Row = tuple[str, Any]  # where it stands, in words; a mapping of its fields, or the text alone


def read(path: Path) -> Iterator[Metadata]:
    """The prompts of a file, by its name's ending: text with one prompt a line where unknown."""
    if path.is_dir():
        raise ValueError(f"prompts.path={path} is a folder; a file is expected")
    for where, row in FORMATS.get(path.suffix.lower(), _text)(path):
        yield from metadata(row, where)


def metadata(
    row: Any, where: str, texts: Iterable[str] = TEXTS, tags: Iterable[str] = TAGS
) -> list[Metadata]:
    """A row as GenEval lays it out; nothing for an empty prompt. ``texts`` and ``tags``: the names
    that the columns of the prompt and of its task may have, in any case.

    Raises ValueError where there is no prompt in the row, or what cannot be one.
    """
    if isinstance(row, str):
        row = {"prompt": row}
    if not isinstance(row, Mapping):
        raise ValueError(f"{where}: a prompt is text or an object with a prompt, got {row!r:.80}")
    column = _named(row, texts)
    if column is None:
        raise ValueError(
            f"{where}: no column is named {', '.join(texts)}; there are {', '.join(map(str, row))}"
        )
    text = row[column]
    if not isinstance(text, str):
        raise ValueError(f"{where}: {column} must be text, got {text!r:.80}")
    text = text.strip()
    if len(text) > LONGEST:
        raise ValueError(f"{where}: a prompt of {len(text)} characters, more than {LONGEST}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{where}: the prompt holds half a surrogate pair, no character") from None
    found = row.get(_named(row, tags))
    tag = "" if found is None else str(found).strip()
    others = {key: value for key, value in row.items() if key not in (column, "tag", "prompt")}
    return [{"tag": tag or UNTAGGED, **others, "prompt": text}] if text else []


def _named(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """The row's key that is the first of these names, in any case."""
    keys = {str(key).strip().lower(): key for key in reversed(list(row))}
    return next((keys[name] for name in names if name in keys), None)


def table(path: Path, **dialect: Any) -> Iterator[Row]:
    """The rows of a CSV file, by the header's names."""
    reader = csv.reader((line for _, line in _lines(path)), **dialect)
    try:
        header = next(reader, [])
        for values in filter(None, reader):
            if len(values) > len(header):
                raise ValueError(
                    f"{path}, line {reader.line_num}: {len(values)} values for the "
                    f"{len(header)} columns {', '.join(header)}; quote what holds a separator"
                )
            values += [""] * (len(header) - len(values))
            yield f"{path}, line {reader.line_num}", dict(zip(header, values, strict=True))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from None


def tabs(path: Path) -> Iterator[Row]:
    """The rows of a TSV file, in which a quotation mark is a character like any other."""
    return table(path, delimiter="\t", quoting=csv.QUOTE_NONE)


def _text(path: Path) -> Iterator[Row]:
    return ((f"{path}, line {number}", line) for number, line in _lines(path))


def _json_lines(path: Path) -> Iterator[Row]:
    for number, line in _lines(path):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, _parsed(line, where)


def listed(path: Path) -> Iterator[Row]:
    """The entries of a file that is one JSON list."""
    found = _parsed("".join(line for _, line in _lines(path)), str(path))
    if not isinstance(found, list):
        raise ValueError(f"{path}: a JSON list of prompts is expected; one a line: name it .jsonl")
    return ((f"{path}, entry {number}", entry) for number, entry in enumerate(found, start=1))


def _parsed(text: str, where: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: no valid JSON: {error}") from None


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers and endings, without a byte order mark."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError:
                raise ValueError(
                    f"{path}, line {number}: not UTF-8 text; save it as UTF-8"
                ) from None
            yield number, line.removeprefix(BOM) if number == 1 else line


FORMATS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".csv": table,
    ".tsv": tabs,
    ".json": listed,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
