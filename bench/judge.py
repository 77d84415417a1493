"""``python -m bench.judge FOLDER``: judge images on disk again, in GenEval's own layout.

FOLDER holds one folder a prompt, each with ``metadata.jsonl`` and ``samples/*.png``, as a cell's
``images`` does. Prints the shares by task and writes ``judged.jsonl``, one line an image.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench.errors import BenchError
from bench.geneval.protocol import by_task, overall
from bench.images import from_bytes, read
from bench.judging import DETECTORS, load_detector, verdicts


def judge_folder(folder: Path, judge_name: str) -> dict[str, list[bool]]:
    """Verdicts by task. Raises BenchError where there is nothing to judge, or an empty prompt."""
    judge = load_detector(judge_name)
    correct: dict[str, list[bool]] = {}
    prompts = sorted(p.parent for p in folder.glob("*/metadata.jsonl"))
    if not prompts:
        raise BenchError(f"no */metadata.jsonl in {folder}: expected GenEval's layout")
    with (folder / "judged.jsonl").open("w") as file:
        for place in prompts:
            metadata = json.loads((place / "metadata.jsonl").read_text())
            samples = sorted((place / "samples").glob("*.png"))
            if not samples:
                raise BenchError(f"{place}/samples has no PNG: a missing image is not a wrong one")
            results = verdicts(judge, metadata, from_bytes(read(samples)))
            for sample, verdict in zip(samples, results, strict=True):
                line = {"filename": sample.relative_to(folder).as_posix(), "tag": metadata["tag"]}
                line |= {"correct": verdict.correct, "reasons": verdict.reasons}
                file.write(json.dumps(line) + "\n")
            marks = correct.setdefault(metadata["tag"], [])
            marks += [verdict.correct for verdict in results]
    return correct


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.judge", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--judge", choices=list(DETECTORS), default="miniature")
    options = parser.parse_args()
    try:
        correct = judge_folder(options.folder, options.judge)
    except BenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for task, share in by_task(correct).items():
        print(f"{task:14s} {share:.4f}  ({len(correct[task])} images)")
    print(f"{'overall':14s} {overall(correct):.4f}")
    print(options.folder / "judged.jsonl")
    return 0


if __name__ == "__main__":
    sys.exit(main())
