"""A results folder made of planted effects and random pictures, for tests and for looking at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

TAGS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
# Per method: probability of a correct image, reward gain, judge gain, diversity, cost ratio
EFFECTS = {
    "vanilla": (0.45, 0.0, 0.0, 0.30, 1.0),
    "lidar": (0.62, 0.6, 0.03, 0.27, 2.0),
    "ug": (0.47, 0.8, -0.05, 0.22, 8.0),
    "smc": (0.55, 0.4, 0.01, 0.09, 4.0),
    "rollout": (0.58, 0.5, 0.02, 0.25, 40.0),
    "date": (0.56, 0.65, -0.01, 0.24, 7.0),
    "best_of_n": (0.57, 0.45, 0.015, 0.29, 4.1),
    "search": (0.54, 0.42, 0.012, 0.2, 8.5),
}
KINDS = ("denoiser", "denoiser_backward", "decode", "decode_backward", "reward", "reward_backward")


def record(method: str, index: int, rng: np.random.Generator) -> dict[str, Any]:
    """A finished prompt with four images; the yardstick is timed on every third prompt."""
    right, gain, judge, diversity, ratio = EFFECTS[method]
    base = 0.6 + 0.02 * (index % 5)
    shares = {"prepare": 0.5, "denoise": 0.45, "decode": 0.05} if method == "lidar" else {
        "prepare": 0.02, "denoise": 0.9, "decode": 0.08}  # fmt: skip
    total = base * ratio * float(rng.uniform(0.95, 1.05))
    seconds = {phase: share * total for phase, share in shares.items()}
    calls = {phase: dict.fromkeys(KINDS, 0) for phase in shares}
    calls["denoise"]["denoiser"] = 800
    calls["decode"]["decode"] = 4
    calls["prepare"] |= {"denoiser": 500, "decode": 50, "reward": 50} if method == "lidar" else {}
    calls["denoise"] |= {"denoiser_backward": 400, "reward_backward": 400} if method == "ug" else {}
    correct = (rng.random(4) < right).tolist()
    return {
        "index": index,
        "prompt": f"a photo of thing {index} and a rather long other thing",
        "tag": TAGS[index % len(TAGS)],
        "seed": 0,
        "seconds": {**seconds, "total": total},
        "calls": calls,
        "yardstick": {"vanilla": base, "method": total} if index % 3 == 0 else None,
        "judge_seconds": 0.1,
        "images": [f"{index:05d}/samples/{i:04d}.png" for i in range(4)],
        "geneval": correct,
        "reasons": [[] if mark else ["expected cat>=1, found 0"] for mark in correct],
        "scores": {
            "preference": (rng.normal(size=4) * 0.3 + gain + 0.1 * (index % 4)).tolist(),
            "clip": (rng.normal(size=4) * 0.02 + 0.26 + judge).tolist(),
            "jpeg": (rng.normal(size=4) * 0.1 - judge).tolist(),
        },
        "diversity": diversity * float(rng.uniform(0.9, 1.1)),
        "info": {},
        "error": None,
    }


def cell(
    folder: Path, kind: str, *, name: str | None = None, total: int = 24, **changes: Any
) -> Path:
    """Write one complete cell; ``changes`` replace keys of its config. Returns its folder."""
    name = name or f"{kind}0123456789"
    path = folder / "cells" / name
    path.mkdir(parents=True)
    config = {
        "cell": name, "code": "c0de", "experiment": "demo", "seed": 0, "images": 4, "steps": 50,
        "reward": "preference", "method": {"name": kind}, "backbone": {"name": "miniature"},
        "solver": "ddim", "prompts": {"total": total},
    } | changes  # fmt: skip
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    rng = np.random.default_rng(sum(map(ord, name)))
    records = [record(kind, index, rng) for index in range(total)]
    write(path, records)
    for one in records:
        for image in one["images"]:
            at = path / "images" / image
            at.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(at)
    return path


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """Replace a cell's records."""
    text = "".join(json.dumps(record) + "\n" for record in records)
    (path / "records.jsonl").write_text(text)


def read(path: Path) -> list[dict[str, Any]]:
    """A cell's records."""
    return [json.loads(line) for line in (path / "records.jsonl").read_text().splitlines()]


def records_of(folder: Path, method: str) -> tuple[Path, list[dict]]:
    """A cell's folder and its records."""
    path = folder / "cells" / f"{method}0123456789"
    return path, read(path)
