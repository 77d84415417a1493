"""Prompts of published benchmarks, from their files as their authors publish them.

Nothing of them is part of this package: ``prompts.path`` says where a user has put them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bench.prompts import files
from bench.prompts.choice import UNTAGGED, Metadata

PRIMARY = ("Primary Categories", "一级垂类")  # UniGenBench's, English and Chinese


def hpdv2(path: Path) -> Iterator[Metadata]:
    """The benchmark of HPSv2 (arXiv 2306.09341): a folder of a JSON list of prompts a style."""
    for file in _below(path, "*.json"):
        style = file.stem.removeprefix("benchmark_")
        for where, text in files.listed(file):
            yield from files.metadata({"tag": style, "prompt": text}, where)


def dpg(path: Path) -> Iterator[Metadata]:
    """DPG-Bench (ELLA, arXiv 2403.05135): a folder of NAME.txt, each a long prompt.

    Its evaluator finds an image by the name, which is kept.
    """
    for file in _below(path, "*.txt"):
        lines = file.read_bytes().decode("utf-8-sig", errors="replace").split()
        row = {"tag": UNTAGGED, "name": file.stem, "prompt": " ".join(lines)}
        yield from files.metadata(row, str(file))


def unigenbench(path: Path) -> Iterator[Metadata]:
    """UniGenBench and UniGenBench++ (arXiv 2510.18701): CSV with the columns index, prompt_en or
    prompt_zh, and sub_dims, a JSON object whose primary category is the tag."""
    for where, row in files.table(path):
        try:
            dimensions = json.loads(next(row[k] for k in row if k.startswith("sub_dims")))
            tag = next(dimensions[key] for key in PRIMARY if key in dimensions)
        except (StopIteration, ValueError, TypeError):
            raise ValueError(f"{where}: no sub_dims with a primary category") from None
        yield from files.metadata({"tag": tag, **row}, where, ("prompt_en", "prompt_zh"))


def _below(folder: Path, pattern: str) -> list[Path]:
    """The files of a folder in a natural order: 2.txt before 10.txt."""
    if not folder.is_dir():
        raise ValueError(f"prompts.path={folder} is a file; a folder of {pattern} is expected")
    return sorted(folder.glob(pattern), key=lambda file: (len(file.name), file.name))
