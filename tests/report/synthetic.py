"""A results folder made of planted effects and random pictures, for tests and for looking at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.store.config import write_config
from bench.store.records import sealed

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
# Operations of one sample of each kind.
FLOPS = dict(zip(KINDS, (10**9, 2 * 10**9, 10**8, 10**8, 10**7, 10**7), strict=True))

Effect = tuple[float, float, float, float, float]


def record(effect: Effect, method: str, index: int, rng: np.random.Generator) -> dict[str, Any]:
    """A finished prompt with four images; the yardstick is timed on every third prompt."""
    right, gain, judge, diversity, ratio = effect
    base = 0.6 + 0.02 * (index % 5)
    lookahead = {"prepare": 0.45, "annotate": 0.05, "denoise": 0.45, "decode": 0.05}
    plain = {"prepare": 0.02, "annotate": 0.0, "denoise": 0.9, "decode": 0.08}
    shares = lookahead if method == "lidar" else plain
    total = base * ratio * float(rng.uniform(0.95, 1.05))
    seconds = {phase: share * total for phase, share in shares.items()}
    calls = {phase: dict.fromkeys(KINDS, 0) for phase in shares}
    calls["denoise"]["denoiser"] = 800
    calls["decode"]["decode"] = 4
    calls["prepare"] |= {"denoiser": 500, "decode": 50} if method == "lidar" else {}
    calls["annotate"] |= {"reward": 50} if method == "lidar" else {}
    calls["denoise"] |= {"denoiser_backward": 400, "reward_backward": 400} if method == "ug" else {}
    correct = (rng.random(4) < right).tolist()
    passes = {"denoise": 400} | ({"prepare": 250} if method == "lidar" else {})
    return {
        "index": index,
        "prompt": f"a photo of thing {index} and a rather long other thing",
        "tag": TAGS[index % len(TAGS)],
        "seed": 0,
        "seconds": {**seconds, "total": total},
        "calls": calls,
        "passes": passes,
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


def failed(index: int, error: str) -> dict[str, Any]:
    """A prompt that failed."""
    return {"index": index, "prompt": "", "tag": "", "error": error}


def cell(
    folder: Path,
    kind: str,
    *,
    name: str | None = None,
    total: int = 24,
    effect: Effect | None = None,
    pictures: bool = True,
    **changes: Any,
) -> Path:
    """Write one complete cell of the planted ``effect``, its kind's own where None; ``changes``
    replace keys of its config; ``pictures``: image files, too. Returns its folder."""
    name = name or f"{kind}0123456789"
    path = folder / "cells" / name
    path.mkdir(parents=True)
    config = {
        "cell": name, "code": "c0de", "experiment": "demo", "seed": 0, "images": 4, "steps": 50,
        "reward": "preference", "method": {"name": kind}, "backbone": {"name": "miniature"},
        "solver": "ddim", "prompts": {"total": total}, "flops": FLOPS,
    } | changes  # fmt: skip
    write_config(path / "config.yaml", config)
    rng = np.random.default_rng(sum(map(ord, name)))
    records = [record(effect or EFFECTS[kind], kind, index, rng) for index in range(total)]
    for one in records if effect else []:  # as many calls as the planted cost asks for
        phases = [phase for phase in one["calls"].values() if phase["denoiser"]]
        whole = sum(phase["denoiser"] for phase in phases)
        for phase in phases:
            phase["denoiser"] = round(phase["denoiser"] * 800 * effect[4] / whole)
    write(path, records)
    for one in records if pictures else []:
        for image in one["images"]:
            at = path / "images" / image
            at.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(at)
    return path


def lidar(n: int = 50, steps: int = 5, scale: float = 12.5, **others: Any) -> dict[str, Any]:
    """Settings of a lidar cell, or of one that goes by another name."""
    lookahead = {"n": n, "steps": steps, "scale": 5000.0}
    return {"name": "lidar", "efr": {"lookahead": lookahead},
            "steer": {"guidance": {"scale": scale}}} | others  # fmt: skip


def sweep(folder: Path) -> None:
    """A full set of cells: every method, its budget or its scale swept, for every figure."""
    cell(folder, "vanilla")
    cell(folder, "smc", name="smc0", method=smc("lidar_smc", lidar()))
    cell(folder, "smc", name="smc1", method=smc("fk_smc", {}))
    for n in (9, 50, 200):
        effect = (0.45 + 0.001 * n, 0.3 + n / 500, 0.03, 0.27, 1 + n / 50)
        cell(folder, "lidar", name=f"lidar-n{n}", effect=effect, method=lidar(n=n))
        spent = (0.4 + 0.0005 * n, 0.3, 0.01, 0.28, n / 50)
        of = {"efr": {"lookahead": {"n": n, "steps": 5, "scale": 5000.0}}}
        own = {"name": "best_of_lookahead"} | of
        cell(folder, "lidar", name=f"lookahead-n{n}", effect=spent, method=own)
    for steps in (3, 10):
        cell(folder, "lidar", name=f"lidar-s{steps}", method=lidar(steps=steps))
    cell(folder, "lidar", name="lidar-scale", method=lidar(scale=5.0))
    for n in (2, 4, 8):
        effect = (0.45 + 0.02 * n, 0.1 * n, 0.01, 0.28, float(n))
        of = {"name": "best_of_n", "steer": {"best_of_n": {"n": n}}}
        cell(folder, "best_of_n", name=f"bon-n{n}", effect=effect, method=of)
    for every in (1, 2, 5):
        effect = (0.56 - 0.01 * every, 0.6, -0.01, 0.24, 12.0 / every)
        of = {"name": "date", "steer": {"embedding": {"every": every, "scale": 0.1}}}
        cell(folder, "date", name=f"date-e{every}", effect=effect, method=of)
    for scale in (0.5, 2.0, 8.0):
        of = {"name": "ug", "efr": {"tweedie": {"scale": scale}}}
        cell(folder, "ug", name=f"ug-{scale}", method=of)


def smc(name: str, base: dict[str, Any]) -> dict[str, Any]:
    """Settings of a method that resamples."""
    tweedie = {"tweedie": {"scale": 10.0}}
    steers = base.get("steer", {}) | {"smc": {"particles": None}}
    return {"name": name, "efr": base.get("efr", {}) | tweedie, "steer": steers}


def write(path: Path, records: list[dict[str, Any]]) -> None:
    """Replace a cell's records."""
    lines = [sealed(json.dumps(record).encode()) + b"\n" for record in records]
    (path / "records.jsonl").write_bytes(b"".join(lines))


def read(path: Path) -> list[dict[str, Any]]:
    """A cell's records."""
    records = [json.loads(line) for line in (path / "records.jsonl").read_text().splitlines()]
    return [{key: value for key, value in one.items() if key != "seal"} for one in records]


def records_of(folder: Path, method: str) -> tuple[Path, list[dict]]:
    """A cell's folder and its records."""
    path = folder / "cells" / f"{method}0123456789"
    return path, read(path)
