"""``python -m bench.judge FOLDER``: judge images on disk.

A results folder, or one cell's, is judged again: each cell by its own judge and scores, and by more
of them with ``scores=[clip,jpeg]``. Its records then hold what this version's judge says.

Any other FOLDER is in GenEval's own layout: one folder a prompt, each with ``metadata.jsonl`` and
``samples/*.png`` of any size, as a cell's ``images`` has. Prints the shares by task and writes
``FOLDER/judged.jsonl`` anew, one line an image: filename, tag, prompt, correct, reason and metadata
as GenEval's own evaluator writes them, for its summary script, and our ``reasons`` as a list.
Settings follow as key=value, such as judge.weights=FOLDER or judge.batch=8.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    from bench.__main__ import main as entry

    sys.exit(entry("judge"))

from rich.console import Console
from rich.progress import track

from bench.config.compose import cell_settings, parsed
from bench.config.overrides import check_command_line, written_out
from bench.errors import BenchError, explained
from bench.geneval.detector import Detector, verdicts
from bench.geneval.prompts import Metadata
from bench.geneval.protocol import Verdict, by_task, check_metadata, overall
from bench.judge.judges import DETECTORS, check_judge, load_detector
from bench.store.images import from_bytes, read

Place = tuple[Metadata, list[Path]]


def find(folder: Path) -> list[Place]:
    """Every prompt's metadata and images. Raises BenchError for what is missing or unreadable."""
    found = []
    for path in sorted(folder.glob("*/metadata.jsonl")):
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
            missing = {"tag", "prompt", "include"} - set(metadata)
        except (ValueError, TypeError):
            raise BenchError(f"{path} is no JSON object on one line: GenEval's metadata") from None
        if missing:
            raise BenchError(f"{path} lacks {', '.join(sorted(missing))} of GenEval's metadata")
        try:
            check_metadata(metadata)
        except ValueError as error:
            raise BenchError(f"{path}: {error}") from None
        samples = sorted((path.parent / "samples").glob("*.png"))
        if not samples:
            raise BenchError(
                f"{path.parent}/samples has no PNG: a missing image is not a wrong one"
            )
        found.append((metadata, samples))
    if not found:
        raise BenchError(f"no */metadata.jsonl in {folder}: expected GenEval's layout")
    return found


def judge_samples(
    detector: Detector, metadata: Metadata, samples: Sequence[Path]
) -> Iterator[Verdict]:
    """Verdicts of one prompt's files in order; those of one size and in a row are seen together."""
    from PIL import Image

    together: list[Path] = []
    size = None
    for sample in [*samples, None]:
        try:
            own = Image.open(sample).size if sample else None
        except OSError:
            raise BenchError(f"{sample} is not an image, or damaged") from None
        if together and own != size:
            with explained():
                yield from verdicts(detector, metadata, from_bytes(read(together)))
            together = []
        size = own
        together += [sample] if sample else []


def judge_folder(
    folder: Path, settings: dict[str, Any], console: Console | None = None
) -> dict[str, list[bool]]:
    """Verdicts by task; ``settings`` of a detector. Raises BenchError, before judging where it can
    tell: there is nothing to judge, a prompt is empty, the detector fails its self-test."""
    places, detector = find(folder), load_detector(settings)
    correct: dict[str, list[bool]] = {}
    shown = track(places, "judging", console=console, disable=console is None)
    with (folder / "judged.jsonl").open("w", encoding="utf-8") as file:
        for metadata, samples in shown:
            marks = correct.setdefault(metadata["tag"], [])
            results = judge_samples(detector, metadata, samples)
            for sample, verdict in zip(samples, results, strict=True):
                file.write(json.dumps(line(folder, sample, metadata, verdict)) + "\n")
                marks.append(verdict.correct)
    return correct


def line(folder: Path, sample: Path, metadata: Metadata, verdict: Verdict) -> dict[str, Any]:
    """One image's result."""
    return {
        "filename": sample.relative_to(folder).as_posix(),
        "tag": metadata["tag"],
        "prompt": metadata["prompt"],
        "correct": verdict.correct,
        "reason": "\n".join(verdict.reasons),
        "metadata": json.dumps(metadata),
        "reasons": verdict.reasons,
    }


def again(folder: Path, judge: str | None, settings: Sequence[str]) -> int:
    """Judge a results folder; the exit code."""
    from bench.run.rejudge import rejudge

    try:
        if judge or len(settings) > 1 or any(not s.startswith("scores=") for s in settings):
            raise BenchError(
                "the cells of a results folder are judged by their own judge: only scores=[…] "
                "can be added"
            )
        scores = [value for override in parsed(settings) for value in listed(override.value())]
        problems = rejudge(folder, scores, Console(stderr=True))
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    print(f"judged; its report: python -m bench.report {folder}")
    return 1 if problems else 0


def listed(value: Any) -> list[str]:
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.judge", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--judge", choices=list(DETECTORS))
    parser.add_argument("settings", nargs="*", metavar="key=value")
    options = parser.parse_intermixed_args(arguments)
    if (options.folder / "cells").is_dir() or (options.folder / "config.yaml").is_file():
        return again(options.folder, options.judge, options.settings)
    try:
        overrides = written_out([f"judge={options.judge or 'miniature'}", *options.settings])
        check_command_line(overrides)
        settings = cell_settings(overrides, [])["judge"]
        with explained():
            check_judge(settings)
        correct = judge_folder(options.folder, settings, Console(stderr=True))
        digest = load_detector(settings).digest()
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for task, share in by_task(correct).items():
        print(f"{task:14s} {share:.4f}  ({len(correct[task])} images)")
    images = sum(map(len, correct.values()))
    prompts = len(list(options.folder.glob("*/metadata.jsonl")))
    print(f"{'overall':14s} {overall(correct):.4f}  ({images} images of {prompts} prompts)")
    if digest.startswith("untested"):
        print("these are not scores: the detector has proved nothing", file=sys.stderr)
    print(options.folder / "judged.jsonl")
    return 0
