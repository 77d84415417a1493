"""The section of costs: seconds by phase, memory, operations and batches of each cell."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench.report import table
from bench.report.clock import BUSY
from bench.report.document import Section, Table
from bench.report.evidence import Evidence
from bench.store.schema import PHASES

COSTS = (
    "Seconds a prompt (means) from the prompt's text to images on the host: lookahead is text "
    "encoding and lookahead samples, annotation their rewards, target the steered sampling and its "
    "decoding. Memory: GiB at the peak / at that of target sampling / resident before the method "
    "began, which is part of both; on a CPU of the whole process. Batch: images sampled together / "
    "most samples a call of the denoiser / of the decoder. TFLOP: floating-point operations of the "
    "networks, from the architecture and the calls; text encoders are left out. “Busy machine”: "
    "vanilla's timings beside the cell show that other work slowed it, or that of cells with equal "
    "calls; the notes say which. The paper's "
    "figures (one A100 80 GB, trained weights) are its own, not measured here."
)


def cost_section(evidence: Evidence) -> Section:
    """What each cell's seconds are spent on, and the memory that it needs."""
    frames = evidence.results.prompts.groupby("cell")
    means = frames[[f"seconds.{phase}" for phase in (*PHASES, "total")]].mean()
    held = [f"memory.{kind}" for kind in ("allocated", "target", "resident")]
    peaks = frames[[*held, "memory.reserved"]].max()
    batch = frames.batch.agg(lambda sizes: "; ".join(sorted(set(sizes) - {""})))
    full = (
        means.join(peaks)
        .join(batch)
        .join(evidence.summary[["label", "flops", "work", "cost", "cost.low", "cost.high", "busy"]])
    )
    full = full.loc[evidence.summary.index]
    full["TFLOP"] = full.flops / 1e12
    full["seconds.target"] = full["seconds.denoise"] + full["seconds.decode"]
    heads = {"s/prompt": "total", "lookahead": "prepare", "annotation": "annotate"}
    heads |= {"target": "target"}
    shown = []
    for _, row in full.iterrows():
        own = {"method": row.label}
        busy = bool(row.busy)
        own |= {
            h: BUSY if busy else table.number(row, f"seconds.{p}", "{:.3g}")
            for h, p in heads.items()
        }
        own["ratio"] = BUSY if busy else table.spread(row, "cost", "{:.2f}")
        if full.flops.notna().any():
            own["TFLOP"] = table.number(row, "TFLOP", "{:.3g}")
            own["TFLOP / vanilla"] = table.number(row, "work", "{:.2f}")
        told = " / ".join(f"{row[kind]:.3f}" for kind in held)
        own["memory"] = table.NONE if np.isnan(row[held[0]]) else told
        shown.append(own | {"batch": row.batch})
    part = Table("costs", pd.DataFrame(shown), COSTS, full.reset_index())
    return Section("Costs", (part,), folded=True)
