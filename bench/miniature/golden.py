"""Four scenes of the miniature's world whose content is known, as files: the judge's self-test.

They are ``training.scenes.render`` of the first GenEval prompt of four tasks, with the generators
seeded 0, 1, 2, 3. As files they need no font.
"""

from __future__ import annotations

import json
from pathlib import Path

from bench.geneval.selftest import Picture
from bench.store.images import from_bytes, read

FOLDER = Path(__file__).parent / "golden"


def pictures(folder: Path = FOLDER) -> list[Picture]:
    """The scenes, each a correct image of its metadata."""
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    files = [folder / f"{number}.png" for number in range(len(lines))]
    pixels = from_bytes(read(files))
    return [
        Picture(file.name, image, json.loads(line))
        for file, image, line in zip(files, pixels, lines, strict=True)
    ]
