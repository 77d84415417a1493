"""Each method's predicted costs as numbers: what the report's tables and figures show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bench.costs.devices import DEVICES
from bench.costs.model import (
    Assumptions,
    Calls,
    by_part,
    shift_seconds,
    total_flops,
    total_seconds,
)
from bench.costs.parts import Parts
from bench.report.lidar.published import published

PAPERS = DEVICES["a100"]
VARIANTS = {
    "roofline": Assumptions(),
    "peaks alone": Assumptions(bytes=False),
    "TF32 products": Assumptions(tf32=True),
    "half-precision reward": Assumptions(half_reward=True),
}


@dataclass(frozen=True)
class Costed:
    """A method's cell, and its calls. ``vanilla``: vanilla's calls by the same target solver and
    steps. ``together``: images sampled at a time."""

    label: str
    settings: Mapping[str, Any]
    calls: Calls
    vanilla: Calls
    together: int

    @property
    def method(self) -> str:
        return str(self.settings["method"]["name"])

    @property
    def texts(self) -> int:
        """Texts that are encoded: the prompt, and the empty one for classifier-free guidance."""
        backbone = self.settings["backbone"]
        return 2 if backbone["kind"] != "flux" and (backbone["guidance"] or 0) > 1 else 1


def assumed(one: Costed, given: Assumptions = VARIANTS["roofline"]) -> Assumptions:
    return replace(given, together=one.together)


def target(one: Costed) -> str:
    return f"{one.settings['solver']} {one.settings['steps']}"


def ratio(one: Costed, parts: Parts, given: Assumptions = VARIANTS["roofline"]) -> float:
    """Of the roofline's seconds to vanilla's, on the paper's device."""
    own = total_seconds(parts, by_part(one.calls, one.texts), PAPERS, assumed(one, given))
    whole = replace(given, together=one.settings["images"])
    return own / total_seconds(parts, by_part(one.vanilla, one.texts), PAPERS, whole)


def row_of(one: Costed, parts: Parts) -> dict[str, Any]:
    samples = by_part(one.calls, one.texts)
    spent = total_flops(parts, samples)
    base = sum(total_flops(parts, by_part(one.vanilla, one.texts)).values())
    found = published(one.settings)
    row: dict[str, Any] = {
        "label": one.label,
        "method": one.method,
        "target": target(one),
        "alone": one.together < one.settings["images"],
        "TFLOP": sum(spent.values()),
        "flops": sum(spent.values()) / base,
        "roofline": ratio(one, parts),
        "peaks": ratio(one, parts, VARIANTS["peaks alone"]),
        "paper": found.ratio if found else None,
        "paper.seconds": found.seconds if found else None,
    }
    for (phase, kind), value in spent.items():
        row[f"phase.{phase}"] = row.get(f"phase.{phase}", 0.0) + value
        row[f"part.{kind}"] = row.get(f"part.{kind}", 0.0) + value / base
        row[f"TFLOP.{phase}.{kind}"] = value
    return row


def efficiency(costed: Sequence[Costed], parts: Parts) -> float | None:
    """The roofline's seconds over those published, of vanilla by the first target."""
    for one in costed:
        found = published(one.settings) if one.method == "vanilla" else None
        if found is not None and found.seconds:
            own = total_seconds(parts, by_part(one.calls, one.texts), PAPERS, assumed(one))
            return own / found.seconds
    return None


def by_n(costed: Sequence[Costed], parts: Parts, sizes: Sequence[int], pixels: int) -> pd.DataFrame:
    """LiDAR by each lookahead solver of its cells, over n: its lookahead's calls grow with n."""
    rows: list[dict[str, Any]] = []
    seen: set[tuple[Any, ...]] = set()
    for one in costed:
        lookahead = (one.settings["method"].get("efr") or {}).get("lookahead")
        if one.method != "lidar" or lookahead is None or target(one) != target(costed[0]):
            continue
        key = (lookahead["solver"], lookahead["steps"])
        if key in seen:
            continue
        seen.add(key)
        samples = by_part(one.calls, one.texts)
        vanilla = by_part(one.vanilla, one.texts)
        each = {k: (v - vanilla.get(k, 0)) / lookahead["n"] for k, v in samples.items()}
        base = total_seconds(parts, vanilla, PAPERS, assumed(one))
        plain = sum(total_flops(parts, vanilla).values())
        low, high = one.settings["method"]["steer"]["guidance"]["interval"]
        steps = round((high - low) * one.settings["steps"])
        channels = 16 if one.settings["backbone"]["kind"] == "flux" else 4
        latent = channels * (pixels // 8) ** 2
        for n in sizes:
            drawn = {k: vanilla.get(k, 0) + v * n for k, v in each.items()}
            guiding = shift_seconds(n, one.settings["images"], latent, steps, PAPERS)
            whole = total_seconds(parts, drawn, PAPERS, assumed(one)) + guiding
            rows.append(
                {
                    "lookahead": f"{key[0]}, {key[1]} step{'s' if key[1] > 1 else ''}",
                    "n": n,
                    "flops": sum(total_flops(parts, drawn).values()) / plain,
                    "roofline": whole / base,
                    "guidance": guiding / base,
                }
            )
    return pd.DataFrame(rows)


def by_pixels(costed: Sequence[Costed], sides: Mapping[int, Parts]) -> pd.DataFrame:
    """Ratios to vanilla at each side of the image; in the first row vanilla's own growth."""
    rows = []
    for one in costed:
        row: dict[str, Any] = {"label": one.label, "method": one.method}
        row |= {str(side): ratio(one, own) for side, own in sides.items()}
        rows.append(row)
    base = costed[0]
    own = {
        str(side): total_seconds(p, by_part(base.vanilla, base.texts), PAPERS, assumed(base))
        for side, p in sides.items()
    }
    least = min(own.values())
    return pd.DataFrame(
        [{"label": "vanilla, seconds over those of the smallest", "method": ""}
         | {side: value / least for side, value in own.items()}, *rows]
    )  # fmt: skip
