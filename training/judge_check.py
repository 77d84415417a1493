"""How far the judge can be trusted: its verdicts on drawn scenes, whose truth is known.

Each GenEval prompt is drawn with new seeds and judged; then drawn with one deliberate error and
judged again, where the verdict must be "wrong". Only errors count that the protocol itself calls
wrong when it is handed the true boxes, classes and colours (the oracle).
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from bench.geneval import prompts
from bench.geneval.prompts import CLASSES, COLORS, TASKS, Metadata
from bench.geneval.protocol import evaluate
from bench.miniature.judge import MiniatureJudge
from bench.store.images import from_bytes
from training import scenes

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
Report = dict[str, Any]


def wrong_color(record: Metadata, rng: np.random.Generator) -> Metadata | None:
    """The record with one of its colours replaced by another."""
    colored = [i for i, c in enumerate(record["include"]) if "color" in c]
    if not colored:
        return None
    changed = copy.deepcopy(record)
    clause = changed["include"][rng.choice(colored)]
    clause["color"] = str(rng.choice([c for c in COLORS if c != clause["color"]]))
    return changed


def wrong_count(record: Metadata, rng: np.random.Generator) -> Metadata | None:
    """A counting record with one object more (up to four) or less."""
    if record["tag"] != "counting":
        return None
    changed = copy.deepcopy(record)
    clause = changed["include"][0]
    clause["count"] += 1 if clause["count"] < 4 and rng.random() < 0.5 else -1
    return changed


def wrong_position(record: Metadata, rng: np.random.Generator) -> Metadata | None:
    """A position record with the relation turned round."""
    if record["tag"] != "position":
        return None
    changed = copy.deepcopy(record)
    where = changed["include"][1]["position"]
    where[0] = OPPOSITE[where[0]]
    return changed


def wrong_class(record: Metadata, rng: np.random.Generator) -> Metadata | None:
    """The record with one of its classes replaced by a class that it does not name."""
    changed = copy.deepcopy(record)
    named = [c["class"] for c in changed["include"]]
    clause = changed["include"][rng.integers(len(named))]
    clause["class"] = str(rng.choice([c for c in CLASSES if c not in named]))
    return changed


def other_prompt(record: Metadata, rng: np.random.Generator) -> Metadata | None:
    """A random record that has nothing to do with this one."""
    return scenes.random_metadata(rng)


ERRORS: dict[str, Callable[[Metadata, np.random.Generator], Metadata | None]] = {
    f.__name__: f for f in (wrong_color, wrong_count, wrong_position, wrong_class, other_prompt)
}


def oracle(record: Metadata, scene: scenes.Scene) -> bool:
    """The protocol's verdict on the truth: the drawn boxes, classes and colours."""
    objects: dict[str, list[scenes.Placed]] = defaultdict(list)
    for placed in scene.objects:
        objects[placed.name].append(placed)
    boxes = {n: np.array([[*o.box, 1.0] for o in found]) for n, found in objects.items()}
    return evaluate(
        record, boxes, lambda name, chosen: [objects[name][i].color for i in chosen]
    ).correct


def verdicts(judge: MiniatureJudge, records: list[Metadata], images: np.ndarray) -> list[bool]:
    """The judge's verdict on each image (uint8, (B, 64, 64, 3)) for its record."""
    seen = judge.examine(from_bytes(images))
    return [
        evaluate(record, one.boxes, one.colors, **judge.thresholds).correct
        for record, one in zip(records, seen, strict=True)
    ]


def _autoencoded(vae: AutoencoderKL, images: np.ndarray) -> np.ndarray:
    x = torch.from_numpy(scenes.to_tensor(list(images)))
    parts = []
    with torch.no_grad():
        for part in x.split(128):
            parts.append(vae.decode(vae.encode(part).latent_dist.mode()).sample.clamp(-1, 1))
    pixels = ((torch.cat(parts) + 1) * 127.5).round().to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).numpy()


def evaluate_ground_truth(
    judge: MiniatureJudge, vae: AutoencoderKL | None = None, seed: int = 0
) -> Report:
    """Compare the judge with the truth on GenEval's 553 prompts, drawn with ``seed``.

    For "drawn" and, given ``vae`` (pixels in [-1, 1]), for "autoencoded" images: the share judged
    correct per task and overall (the mean over tasks; 1 is perfect), and for each kind of error
    the share of images judged wrong and their number. "oracle" is the overall score of the truth.
    """
    records = prompts.generate()
    rng = np.random.default_rng((seed, 0))
    right = [scenes.render(r, rng) for r in records]
    spoiled: dict[str, tuple[list[Metadata], np.ndarray]] = {}
    for number, (error, change) in enumerate(ERRORS.items(), start=1):
        rng = np.random.default_rng((seed, number))
        pairs = [(r, scenes.render(c, rng)) for r in records if (c := change(r, rng)) is not None]
        pairs = [(r, s) for r, s in pairs if not oracle(r, s)]
        spoiled[error] = [r for r, _ in pairs], np.stack([s.image for _, s in pairs])

    def score(results: list[bool]) -> dict[str, float]:
        by_task = {
            t: float(np.mean([v for r, v in zip(records, results, strict=True) if r["tag"] == t]))
            for t in TASKS
        }
        return by_task | {"overall": float(np.mean(list(by_task.values())))}

    truth = [oracle(r, s) for r, s in zip(records, right, strict=True)]
    report: Report = {"seed": seed, "prompts": len(records), "oracle": score(truth)["overall"]}
    kinds: dict[str, Callable[[np.ndarray], np.ndarray]] = {"drawn": lambda images: images}
    if vae is not None:
        kinds["autoencoded"] = lambda images: _autoencoded(vae, images)
    for kind, prepared in kinds.items():
        images = prepared(np.stack([s.image for s in right]))
        report[kind] = {"correct": score(verdicts(judge, records, images)), "caught": {}}
        for error, (asked, wrong) in spoiled.items():
            caught = 1 - float(np.mean(verdicts(judge, asked, prepared(wrong))))
            report[kind]["caught"][error] = {"share": caught, "images": len(asked)}
    return report


def table(report: Report) -> str:
    """The report as aligned text, one row a figure and one column a kind of image."""
    kinds = [k for k in ("drawn", "autoencoded") if k in report]
    lines = [f"{'':24}" + "".join(f"{k:>13}" for k in kinds)]
    for task in (*TASKS, "overall"):
        row = "".join(f"{report[k]['correct'][task]:13.3f}" for k in kinds)
        lines.append(f"{'correct, ' + task:24}{row}")
    for error in ERRORS:
        row = "".join(f"{report[k]['caught'][error]['share']:13.3f}" for k in kinds)
        lines.append(f"{'caught, ' + error:24}{row}")
    return "\n".join([*lines, f"oracle overall {report['oracle']:.3f}"])
