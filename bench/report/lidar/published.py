"""What LiDAR's paper (arXiv 2602.03211) reports for a cell, where it has such a row.

published.csv, beside this file, has a row for every setting of its tables, which are as printed in
results/published/*.csv: one A100 80 GB, four images a prompt; where tables share a row, the first
(with most digits) counts. None of it was measured here: these numbers stand beside measured ones
and in place of none.

A row is a cell's only where everything is as the paper had it: backbone, target solver and steps,
method, lookahead, particles, mix of rewards, and every other setting of the method: those of conf/
are the paper's, and a cell's ``changed`` says where it strayed from them. Without that key, as in
cells of earlier versions, nothing is published of a cell. Left out: table 4, which the
report of molecules has, table 9, whose total is in table 2, and GenEval's own table of models,
made by other samplers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

TABLE = Path(__file__).with_name("published.csv")
METRICS = ("geneval", "imagereward", "clip", "hps", "seconds", "memory")
IMAGES = 4
# Our backbone -> the paper's. Where a table does not name FLUX's target solver, the pipeline's own
# is a guess.
BACKBONES = {"sd15": "sd15", "sd15_dpo": "sd15_dpo", "sdxl": "sdxl", "flux_dev": "flux"}
# Our lookahead solver -> the paper's prefix; its name ends in the number of steps.
LOOKAHEADS = {"dpm": "dpm", "lcm": "lcm", "dmd2": "dmd", "hyper": "hyper"}
# What rows of one method differ in; all else must be the paper's.
VARIED = {
    *(f"efr.lookahead.{key}" for key in ("n", "solver", "steps")),
    *("steer.best_of_n.n", "steer.smc.particles", "steps_factor"),
}
# What a published row may hold -> the heading of its column and its format.
SHOWN = {
    "geneval": ("paper's GenEval", "{:.3f}"),
    "imagereward": ("paper's ImageReward", "{:.3f}"),
    "clip": ("paper's CLIP", "{:.3f}"),
    "hps": ("paper's HPS", "{:.3f}"),
    "seconds": ("paper's s/prompt", "{:.3g}"),
    "ratio": ("paper's cost / vanilla", "{:.2f}"),
}


class Key(NamedTuple):
    """What a row of the paper is of. ``lookahead`` as in "dpm5", "" with ``n`` 0 for none;
    ``particles`` N of table 8, else 1; ``clip_share``: CLIP's in the guiding reward."""

    backbone: str
    target: str
    method: str
    lookahead: str = ""
    n: int = 0
    particles: int = 1
    clip_share: float = 0.0


@dataclass(frozen=True)
class Published:
    """None where the paper does not say. ``seconds`` a prompt, ``ratio`` to vanilla by the same
    target solver, ``memory`` in GiB; ``tables``: where, as in "table2"."""

    geneval: float | None = None
    imagereward: float | None = None
    clip: float | None = None
    hps: float | None = None
    seconds: float | None = None
    ratio: float | None = None
    memory: float | None = None
    tables: tuple[str, ...] = ()


def columns(cells: pd.DataFrame) -> pd.DataFrame:
    """The published figures of each cell, indexed by cell id; a column only where some cell has
    it, so no column at all for a backbone that the paper does not know."""
    found = {cell: published(config) for cell, config in cells.config.items()}
    rows = {cell: asdict(row) for cell, row in found.items() if row is not None}
    frame = pd.DataFrame.from_dict(rows, orient="index").reindex(index=cells.index)
    kept = [name for name in SHOWN if name in frame and frame[name].notna().any()]
    return frame[kept].astype(float)


def published(settings: Mapping[str, Any]) -> Published | None:
    """What the paper reports for a cell's settings; None where it has no such row."""
    try:
        key = key_of(settings)
    except (KeyError, TypeError, AttributeError):  # not all of the paper's settings are there
        return None
    found = None if key is None else rows().get(key)
    if key is None or found is None:
        return None
    vanilla = rows().get(Key(key.backbone, f"{settings['solver']}{settings['steps']}", "vanilla"))
    own, base = found.get("seconds"), (vanilla or {}).get("seconds")
    return Published(**found, ratio=own / base if own and base else None)


def key_of(settings: Mapping[str, Any]) -> Key | None:
    """Which row of the paper's a cell is, if it is one: whether there is one is not said."""
    method, backbone = settings["method"], BACKBONES.get(settings["backbone"]["name"])
    name = "vanilla" if method["name"] == "vanilla_more_steps" else method["name"]
    clip = 0.0 if name == "vanilla" else _clip_share(settings)
    particles = _particles(settings)
    if backbone is None or clip is None or particles is None:
        return None
    if settings.get("changed") is None or not {*settings["changed"]} <= VARIED:
        return None
    target = f"{settings['solver']}{settings['steps'] * method.get('steps_factor', 1)}"
    options = (method.get("efr") or {}).get("lookahead")
    if options is None:
        return Key(backbone, target, name, particles=particles, clip_share=clip)
    lookahead = f"{LOOKAHEADS.get(options['solver'])}{options['steps']}"
    return Key(backbone, target, name, lookahead, options["n"], particles, clip)


def _clip_share(settings: Mapping[str, Any]) -> float | None:
    """CLIP's share in a guiding mix with ImageReward; None for another reward."""
    given = (settings.get("rewards") or {}).get(settings["reward"]) or {}
    weights = given.get("of", {settings["reward"]: 1.0})
    if set(weights) <= {"imagereward", "clip"} and round(sum(weights.values()), 6) == 1:
        return float(weights.get("clip", 0.0))
    return None


def _particles(settings: Mapping[str, Any]) -> int | None:
    """Table 8's N; None where a prompt's particles are not arranged as `paper/table8` does.

    A population of SMC is delivered whole; each of Best-of-N is an image's own.
    """
    steer = settings["method"].get("steer") or {}
    images, candidates = settings["images"], (steer.get("best_of_n") or {}).get("n", 1)
    if "smc" not in steer:
        return candidates if images == IMAGES else None
    size = steer["smc"]["particles"] or images * candidates
    if "best_of_n" in steer:
        return candidates if images == IMAGES and size == candidates else None
    return size if images == max(size, IMAGES) else None


@cache
def rows() -> dict[Key, dict[str, Any]]:
    """Every row of published.csv, without what it leaves empty."""
    frame = pd.read_csv(TABLE, keep_default_na=False, na_values=dict.fromkeys(METRICS, ""))
    frame["tables"] = [tuple(tables.split()) for tables in frame.tables]
    keys = [Key(*row) for row in frame[list(Key._fields)].itertuples(index=False)]
    found = frame[[*METRICS, "tables"]].to_dict("records")
    known = [{k: v for k, v in row.items() if k == "tables" or pd.notna(v)} for row in found]
    return dict(zip(keys, known, strict=True))
